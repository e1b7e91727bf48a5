import { runCli } from '../../src/cli/run-cli.ts';
import { dieAtWrite } from './die-at-write.ts';

/** The real command line, in a process that dies at one write: `dying-cli.ts AT HOW ARGUMENTS…`; AT 0 lives and counts. */
const [at, how, ...argv] = process.argv.slice(2);
const { count } = dieAtWrite({ at: Number(at) || undefined, how: how as 'before' | 'torn' });
process.exitCode = await runCli(argv);
process.stderr.write(`\nwrites: ${count()}\n`);
