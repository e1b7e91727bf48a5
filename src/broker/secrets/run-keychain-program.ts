import { FixRequestError } from '../../contracts/errors.ts';

export type KeychainAnswer =
  | { readonly kind: 'value'; readonly value: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'failed'; readonly why: string };

interface KeychainCommand {
  readonly program: string;
  readonly args: readonly string[];
  readonly missing: number;
}

interface KeychainLimits {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly limitMs: number;
}

/** What a keychain's program needs of the environment; it gets no key. */
const passed = ['HOME', 'USER', 'LANG', 'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR'];

/** Asks the program once. It is killed at the limit: a locked keychain would wait for a person. */
export async function runKeychainProgram(
  { program, args, missing }: KeychainCommand,
  { env, limitMs }: KeychainLimits,
): Promise<KeychainAnswer> {
  const { execFile } = await import('node:child_process');
  const own = Object.fromEntries(passed.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
  const options = { env: own, cwd: '/', timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024, encoding: 'utf8' } as const;
  return await new Promise((resolve) => {
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ kind: 'value', value: stdout });
      else if (error.killed === true) resolve({ kind: 'failed', why: `${program} did not answer within ${limitMs} ms` });
      else if (error.code === missing && isNothing(missing, stderr)) resolve({ kind: 'missing' });
      else resolve({ kind: 'failed', why: `${program} ended with ${String(error.code)}${saying(stderr)}` });
    });
    child.stdin?.end();
  });
}

/** An exit code of 1 means a failure too, which is told in words. */
function isNothing(missing: number, stderr: string): boolean {
  return missing !== 1 || stderr.trim() === '';
}

/** The first line, without what a terminal would obey. */
function saying(stderr: string): string {
  const line =
    stderr
      .trim()
      .split('\n')[0]
      ?.replace(/[^\x20-\x7e]/g, '') ?? '';
  return line === '' ? '' : `: ${line.slice(0, 200)}`;
}

export function keychainFailed(name: string, why: string): FixRequestError {
  const message = `The secret ${name} was not read, because the keychain answered before and does not now (${why}). Unlock or repair it, or set the secret as an environment variable.`;
  return new FixRequestError('broker.keychain-failed', message);
}
