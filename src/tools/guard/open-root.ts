import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { isProtectedName } from '../path/name-fault.ts';
import type { RootName } from '../path.ts';
import type { KnownProtected, KnownRoot, RootMemory } from '../root-memory.ts';
import { canPin, locateFd, openRootDirectory, refuseKernelFiles, type Directory } from './directory.ts';
import { errnoOf } from './refusal.ts';

export interface OpenRootOptions {
  readonly assurance?: 'best-effort' | undefined;
  readonly memory?: RootMemory | undefined;
}

/** Opens and holds a root's folder. @throws FixRequestError `tools.bad-root` */
export function openRoot(spec: RootName, { assurance, memory }: OpenRootOptions): Directory {
  try {
    const known = assurance === undefined ? memory?.knownRoot(spec.dir) : undefined;
    const again = known === undefined ? undefined : openAgain(spec.dir, known);
    if (again !== undefined) return again;
    const dir = fs.realpathSync.native(spec.dir);
    refuseKernelFiles(dir, dir);
    const directory = openRootDirectory(dir, true);
    if (assurance !== undefined || !canPin(directory.fd)) return { ...directory, isPinned: false };
    // Asked of the descriptor: the path that was resolved before may lead elsewhere by now.
    const real = fs.readlinkSync(locateFd(directory.fd));
    memory?.keepRoot(spec.dir, { real, dev: directory.dev, ino: directory.ino });
    return { ...directory, path: real };
  } catch (thrown) {
    throw badRoot(spec, `it cannot be opened as a folder: ${reasonOf(thrown)}`, thrown);
  }
}

/** The folder that passed all checks before, if the name still leads to it, at the same real path. */
function openAgain(dir: string, { real, dev, ino }: KnownRoot): Directory | undefined {
  const fd = fs.openSync(dir, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    const now = fs.fstatSync(fd);
    if (now.ino === ino && now.dev === dev && fs.readlinkSync(locateFd(fd)) === real) return { fd, dev, ino, isPinned: true, path: real };
  } catch (thrown) {
    fs.closeSync(fd);
    throw thrown;
  }
  fs.closeSync(fd);
  return undefined;
}

export function refuseProtectedRoot(spec: RootName, dir: string, protectedDirs: readonly string[]): void {
  const holder = protectedDirs.find((candidate) => dir === candidate || dir.startsWith(`${candidate}/`));
  if (holder !== undefined) throw badRoot(spec, `it lies in ${holder}, which no agent may reach`);
  if (dir.split('/').some(isProtectedName))
    throw badRoot(spec, 'it lies in a protected folder (`.git`, `.clawhold`), which no agent may reach');
}

export function badRoot(spec: RootName, why: string, cause?: unknown): FixRequestError {
  return new FixRequestError(
    'tools.bad-root',
    `The folder ${spec.dir} cannot be the root "${spec.name}": ${why}. Name another folder in agent.yaml.`,
    {
      cause,
      publicMessage: `The folder of the root "${spec.name}" is missing, or is none that an agent may have. Make it, or name another one in agent.yaml.`,
    },
  );
}

/** Where a folder that no root may reach really is, and what identifies it. */
export function findProtected(dir: string): KnownProtected {
  const real = realOrFuture(dir);
  const now = fs.statSync(real, { throwIfNoEntry: false });
  return { real, id: now === undefined ? undefined : `${now.dev}:${now.ino}` };
}

/** The real path of a folder; of one that does not exist yet, the path that it will have. */
export function realOrFuture(dir: string): string {
  try {
    return fs.realpathSync.native(dir);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    return path.join(path.dirname(dir) === dir ? dir : realOrFuture(path.dirname(dir)), path.basename(dir));
  }
}
