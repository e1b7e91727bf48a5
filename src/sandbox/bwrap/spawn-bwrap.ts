import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { User } from '../workspace/open-workspace.ts';
import { coverLeakedFds } from './cover-leaked-fds.ts';
import { bwrapFds } from './profile.ts';

export interface BwrapProcess {
  readonly pid: number;
  /** PID 1 of the sandbox, by its host number; -1 when there is none. */
  readonly innerPid: Promise<number>;
  /** With everything set up, PID 1 runs nothing until then. */
  proceed(): void;
  kill(): void;
  /** With what it said on standard error. */
  readonly ended: Promise<string>;
}

export interface SpawnBwrapOptions {
  readonly executable: string;
  readonly args: readonly string[];
  readonly filter: Uint8Array;
  readonly user: User;
  /** Closed here, whatever happens. */
  readonly supervisorFds: readonly number[];
}

/** Starts it as an unprivileged user, with nothing of this process's environment or descriptors. Options travel by a pipe. */
export function spawnBwrap(options: SpawnBwrapOptions): BwrapProcess {
  const cover = coverLeakedFds(['ignore', 'ignore', 'pipe', ...options.supervisorFds, 'pipe', 'pipe', 'pipe', 'pipe']);
  const end = options.args.indexOf('--');
  let child: ChildProcess;
  try {
    child = spawn(options.executable, ['--args', String(bwrapFds.args), ...options.args.slice(end)], {
      stdio: cover.stdio,
      env: {},
      cwd: '/',
      ...(process.getuid?.() === 0 ? options.user : {}),
    });
  } finally {
    for (const fd of options.supervisorFds) closeSync(fd);
    cover.done();
  }
  const optionText = options.args
    .slice(0, end)
    .map((arg) => `${arg}\0`)
    .join('');
  const errors: Buffer[] = [];
  const pipe = (fd: number): Readable & Writable => child.stdio[fd] as Readable & Writable;
  child.stderr?.on('data', (bytes: Buffer) => errors.push(bytes));
  for (const fd of Object.values(bwrapFds)) pipe(fd).on('error', () => {}); // silent-ok: `ended` says why it stopped reading
  pipe(bwrapFds.args).end(optionText);
  pipe(bwrapFds.seccomp).end(options.filter);
  const ended = Promise.withResolvers<string>();
  child.on('error', (error) => ended.resolve(error.message));
  child.on('close', () => ended.resolve(Buffer.concat(errors).toString('utf8').trim()));
  return {
    pid: child.pid ?? -1,
    innerPid: readInnerPid(pipe(bwrapFds.info)),
    proceed: () => void pipe(bwrapFds.block).end('1'),
    kill: () => void child.kill('SIGKILL'),
    ended: ended.promise,
  };
}

async function readInnerPid(info: Readable): Promise<number> {
  let text = '';
  for await (const bytes of info) text += String(bytes);
  const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
  return pid === undefined ? -1 : Number(pid);
}
