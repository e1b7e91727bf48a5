import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { User } from '../workspace/open-workspace.ts';
import { coverLeakedFds } from './cover-leaked-fds.ts';
import { bwrapFds } from './profile.ts';
import { doorFds } from '../channel/supervisor.ts';

type Stdio = Extract<StdioOptions, unknown[]>;

export interface BwrapProcess {
  readonly pid: number;
  /** PID 1 of the sandbox, by its host number; -1 when there is none. */
  readonly innerPid: Promise<number>;
  kill(): void;
  /** With the reason, when it could not even be started; what bwrap itself says comes where commands' errors come. */
  readonly ended: Promise<string>;
}

export interface SpawnBwrapOptions {
  readonly executable: string;
  readonly args: readonly string[];
  readonly filter: Uint8Array;
  readonly user: User;
  /** Of this process, by `findLeakedFds`. */
  readonly leakedFds: readonly number[];
  /** 3 to 8 of the supervisor. Closed here, whatever happens. */
  readonly supervisorFds: readonly number[];
  /** Doors of the sandbox's resource groups, for `doorFds`. Closed here, whatever happens. */
  readonly doors: readonly number[];
}

/** Starts it as an unprivileged user, with nothing of this process's environment or descriptors. Options travel by a pipe. */
export function spawnBwrap(options: SpawnBwrapOptions): BwrapProcess {
  const cover = coverLeakedFds(descriptorsOf(options), options.leakedFds);
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
    for (const fd of [...options.supervisorFds, ...options.doors]) closeSync(fd);
    cover.done();
  }
  const optionText = options.args
    .slice(0, end)
    .map((arg) => `${arg}\0`)
    .join('');
  const pipe = (fd: number): Readable & Writable => child.stdio[fd as 3] as unknown as Readable & Writable;
  for (const fd of Object.values(bwrapFds)) pipe(fd).on('error', () => {}); // silent-ok: `ended` says why it stopped reading
  pipe(bwrapFds.args).end(optionText);
  pipe(bwrapFds.seccomp).end(options.filter);
  const ended = Promise.withResolvers<string>();
  child.on('error', (error) => ended.resolve(error.message));
  child.on('close', () => ended.resolve(''));
  return {
    pid: child.pid ?? -1,
    innerPid: readInnerPid(pipe(bwrapFds.info)),
    kill: () => void child.kill('SIGKILL'),
    ended: ended.promise,
  };
}

/** Standard error is the commands' own, so that a reason of bwrap arrives with the end of the sandbox. */
function descriptorsOf({ supervisorFds, doors }: SpawnBwrapOptions): Stdio {
  const [stdin = -1, stdout = -1, stderr = -1, ...control] = supervisorFds;
  const stdio: Stdio = ['ignore', 'ignore', stderr, stdin, stdout, 'ignore', ...control, 'ignore', 'pipe', 'pipe', 'pipe'];
  for (const [index, door] of doors.entries()) stdio[doorFds[index] ?? -1] = door;
  return stdio;
}

async function readInnerPid(info: Readable): Promise<number> {
  let text = '';
  for await (const bytes of info) text += String(bytes);
  const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
  return pid === undefined ? -1 : Number(pid);
}
