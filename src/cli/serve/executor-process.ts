import { spawn } from 'node:child_process';
import { memoryOf, offerToKernel } from './process-memory.ts';
import type { ExecutorProcess } from '../../worker/supervise-executors.ts';
import type { Env } from '../app.ts';

export interface StartExecutorOptions {
  readonly env: Env;
  readonly cwd: string;
  readonly memoryMb: number;
  readonly slot: number;
  /** What it tells while it lives. */
  readonly told: (message: unknown) => void;
}

/** What a child says before it ends of itself. */
export const idleMessage = 'idle';
/** What it says all the while, so that one that hangs is noticed. */
export const aliveMessage = 'alive';

/**
 * Starts this program once more, as an executor. It ends when this process does: the channel between them closes with
 * whichever dies.
 */
export function startExecutor({ env, cwd, memoryMb, slot, told }: StartExecutorOptions): ExecutorProcess {
  const main = process.argv[1] ?? '';
  const child = spawn(
    process.execPath,
    [...process.execArgv, `--max-old-space-size=${memoryMb}`, main, 'serve', '--role', 'executor', '--slot', String(slot)],
    // In a group of its own: Ctrl-C would reach it beside the server's word, and a second signal ends it at once.
    { cwd, env: { ...env }, detached: true, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  );
  const pid = child.pid ?? 0;
  if (pid > 0) offerToKernel(pid);
  let why: string | undefined;
  let isHeard = true;
  child.on('message', (message) => {
    isHeard = true;
    if (message === idleMessage) why = idleMessage;
    else if (message !== aliveMessage) told(message);
  });
  const heard = (): boolean => {
    const was = isHeard;
    isHeard = false;
    return was;
  };
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(why ?? (signal === null ? `exit ${code}` : signal)));
  });
  return {
    pid,
    ended,
    heard,
    memoryBytes: () => (pid > 0 ? memoryOf(pid) : undefined),
    stop: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGKILL'),
  };
}
