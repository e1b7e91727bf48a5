import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { User } from '../workspace/open-workspace.ts';
import { coverLeakedFds } from './cover-leaked-fds.ts';
import { bwrapCommand, bwrapFds } from './profile.ts';
import { doorFds } from '../channel/supervisor.ts';

type Stdio = Extract<StdioOptions, unknown[]>;

export interface BwrapProcess {
  readonly pid: number;
  /** Gives it its options, once: until then it waits, outside of any namespace, and has started nothing. */
  configure(args: readonly string[]): void;
  /** Whether it has ended. */
  readonly hasEnded: boolean;
  kill(): void;
  /** With the reason, when it could not even be started; what bwrap itself says comes where commands' errors come. */
  readonly ended: Promise<string>;
}

export interface SpawnBwrapOptions {
  readonly executable: string;
  /** By `prepareFilter`. */
  readonly filterFile: string;
  readonly user: User;
  /** Of this process, by `findLeakedFds`. */
  readonly leakedFds: readonly number[];
  /** 3 to 8 of the supervisor. Closed here, whatever happens. */
  readonly supervisorFds: readonly number[];
  /** Doors of the sandbox's resource groups, for `doorFds`. Closed here, whatever happens. */
  readonly doors: readonly number[];
}

/**
 * Starts it as an unprivileged user, with nothing of this process's environment or descriptors. It reads its options from a
 * pipe while they are still being found out. When this process dies before, it reads none: it has no root with a
 * program in it then, and ends.
 */
export function spawnBwrap(options: SpawnBwrapOptions): BwrapProcess {
  const child = start(options);
  const pipe = child.stdio[bwrapFds.args as 3] as unknown as Writable & { unref(): void };
  pipe.on('error', () => {}); // silent-ok: `ended` says why it stopped reading
  const ended = Promise.withResolvers<string>();
  let hasEnded = false;
  const end = (said: string): void => {
    hasEnded = true;
    ended.resolve(said);
  };
  child.on('error', (error) => end(error.message));
  child.on('close', () => end(''));
  pipe.unref();
  child.unref();
  return {
    pid: child.pid ?? -1,
    configure(args) {
      child.ref();
      pipe.end(args.map((arg) => `${arg}\0`).join(''));
    },
    get hasEnded() {
      return hasEnded || child.exitCode !== null || child.signalCode !== null;
    },
    kill() {
      child.ref();
      child.kill('SIGKILL');
      pipe.destroy();
    },
    ended: ended.promise,
  };
}

function start(options: SpawnBwrapOptions): ChildProcess {
  const opened: number[] = [...options.supervisorFds, ...options.doors];
  try {
    const filter = openSync(options.filterFile, 'r');
    opened.push(filter);
    const cover = coverLeakedFds(descriptorsOf(options, filter), options.leakedFds);
    try {
      return spawn(options.executable, ['--args', String(bwrapFds.args), '--', ...bwrapCommand], {
        stdio: cover.stdio,
        env: {},
        cwd: '/',
        ...(process.getuid?.() === 0 ? options.user : {}),
      });
    } finally {
      cover.done();
    }
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Standard error is the commands' own, so that a reason of bwrap arrives with the end of the sandbox. */
function descriptorsOf({ supervisorFds, doors }: SpawnBwrapOptions, filter: number): Stdio {
  const [stdin = -1, stdout = -1, stderr = -1, ...control] = supervisorFds;
  const stdio: Stdio = ['ignore', 'ignore', stderr, stdin, stdout, 'ignore', ...control, 'ignore', 'pipe', filter];
  for (const [index, door] of doors.entries()) stdio[doorFds[index] ?? -1] = door;
  return stdio;
}
