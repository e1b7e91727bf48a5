import { openBwrap } from '../../src/sandbox/bwrap.ts';
import { openOci } from '../../src/sandbox/oci.ts';

/** A process that holds a sandbox with a running command until it is killed. Arguments: JSON of what to open and start. */
const { driver, options, spec } = JSON.parse(process.argv[2] ?? '');
const opened = driver === 'oci' ? openOci(options) : openBwrap(options);
const sandbox = await opened.start(spec);
void sandbox
  .exec(['sh', '-c', 'mkdir -p .git/hooks && echo evil > .git/hooks/post-checkout && echo "ref: x" > .git/HEAD; sleep $SECONDS_TO_SLEEP'])
  .catch(() => {});
setTimeout(() => console.log(sandbox.id), 300);
setInterval(() => {}, 1000);
