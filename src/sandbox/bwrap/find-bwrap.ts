import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface Bwrap {
  readonly executable: string;
  readonly version: string;
  readonly features: ReadonlySet<string>;
}

const optional = ['disable-userns', 'size'];

/** @throws Error from the start of it when there is no such program. */
export async function findBwrap(executable = 'bwrap'): Promise<Bwrap> {
  const run = promisify(execFile);
  const [{ stdout: version }, { stdout: help }] = await Promise.all([run(executable, ['--version']), run(executable, ['--help'])]);
  return {
    executable,
    version: version.trim().replace(/^bubblewrap /, ''),
    features: new Set(optional.filter((name) => help.includes(`--${name} `))),
  };
}
