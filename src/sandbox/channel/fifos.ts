import { chownSync, closeSync, constants, openSync } from 'node:fs';
import { chmod, chown, mkdir, rename } from 'node:fs/promises';
import path from 'node:path';

/**
 * The six FIFOs between host and supervisor, in the order of the supervisor's descriptors 3 to 8.
 *
 * FIFOs and not the socket pairs that `spawn` makes: a command may open `/dev/stderr` again, which fails on a socket;
 * each writer of standard input gives its own end of file; and what is left in one can be read to the last byte
 * without waiting, so no mark in the stream, which a command could forge, says where an output ends.
 */
export const fifoNames = ['stdin', 'stdout', 'stderr', 'requests', 'kills', 'replies'] as const;
export type FifoName = (typeof fifoNames)[number];
export type FifoPaths = Readonly<Record<FifoName, string>>;

/** Names that commands may open again, through `/dev/stdout` and its like. */
const forCommands: readonly FifoName[] = ['stdin', 'stdout', 'stderr'];

export function fifosIn(folder: string): FifoPaths {
  return Object.fromEntries(fifoNames.map((name) => [name, path.join(folder, name)])) as Record<FifoName, string>;
}

/** Lets the sandbox's user open some of them by path; only `closeFifos` makes the control ones unreachable again. */
export function giveFifos(paths: FifoPaths, uid: number, names: readonly FifoName[] = forCommands): void {
  for (const name of names) chownSync(paths[name], uid, -1);
}

/** After the supervisor opened them by path: takes control ones back and moves all where no mount shows them. */
export async function hideFifos(paths: FifoPaths, hidden: string): Promise<FifoPaths> {
  await mkdir(hidden, { mode: 0o700 });
  const moved = fifosIn(hidden);
  for (const name of fifoNames) {
    await rename(paths[name], moved[name]);
    if (forCommands.includes(name)) continue;
    await chown(moved[name], process.getuid?.() ?? -1, -1);
    await chmod(moved[name], 0o600);
  }
  return moved;
}

/** The host's ends, except standard input, which is opened for each command. None of these opens can wait. */
export interface HostEnds {
  readonly stdout: number;
  readonly stderr: number;
  readonly replies: number;
  readonly requests: number;
  readonly kills: number;
}

export function openHostEnds(paths: FifoPaths): HostEnds {
  const reading = constants.O_RDONLY | constants.O_NONBLOCK;
  const writing = constants.O_RDWR | constants.O_NONBLOCK;
  return {
    stdout: openSync(paths.stdout, reading),
    stderr: openSync(paths.stderr, reading),
    replies: openSync(paths.replies, reading),
    requests: openSync(paths.requests, writing),
    kills: openSync(paths.kills, writing),
  };
}

/** For ends that no channel was made of. */
export function closeHostEnds(ends: HostEnds): void {
  for (const fd of Object.values(ends)) closeSync(fd);
}

/** The supervisor's ends in descriptor order, to be inherited; blocking, as a shell needs them. The other ends are open already, so no open waits. */
export function openSupervisorEnds(paths: FifoPaths): number[] {
  const opener = openSync(paths.stdin, constants.O_RDWR);
  try {
    return [
      openSync(paths.stdin, constants.O_RDONLY),
      openSync(paths.stdout, constants.O_WRONLY),
      openSync(paths.stderr, constants.O_WRONLY),
      openSync(paths.requests, constants.O_RDONLY),
      openSync(paths.kills, constants.O_RDONLY),
      openSync(paths.replies, constants.O_WRONLY),
    ];
  } finally {
    closeSync(opener);
  }
}

/** For one command's input; the supervisor holds the reading end, so this does not wait. Closing it is the end of file. */
export function openStdin(paths: FifoPaths): number {
  return openSync(paths.stdin, constants.O_WRONLY | constants.O_NONBLOCK);
}

/** For throwing away what a command left unread. */
export function openStdinForDraining(paths: FifoPaths): number {
  return openSync(paths.stdin, constants.O_RDONLY | constants.O_NONBLOCK);
}
