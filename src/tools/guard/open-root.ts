import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { isProtectedName } from '../path/name-fault.ts';
import type { RootName } from '../path.ts';
import { canPin, locateFd, openRootDirectory, refuseKernelFiles, type Directory } from './directory.ts';
import { errnoOf } from './refusal.ts';

/** Opens and holds a root's folder. @throws FixRequestError `tools.bad-root` */
export function openRoot(spec: RootName, forced: 'best-effort' | undefined): Directory {
  try {
    const dir = fs.realpathSync.native(spec.dir);
    refuseKernelFiles(dir, dir);
    const directory = openRootDirectory(dir, true);
    return { ...directory, isPinned: forced === undefined && canPin(directory.fd) };
  } catch (thrown) {
    throw badRoot(spec, `it cannot be opened as a folder: ${reasonOf(thrown)}`, thrown);
  }
}

/** Asked of the descriptor where possible: the path that was resolved before may lead elsewhere by now. */
export function realDirOf(directory: Directory): string {
  return directory.isPinned ? fs.readlinkSync(locateFd(directory.fd)) : directory.path;
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

/** The real path of a folder; of one that does not exist yet, the path that it will have. */
export function realOrFuture(dir: string): string {
  try {
    return fs.realpathSync.native(dir);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
    return path.join(path.dirname(dir) === dir ? dir : realOrFuture(path.dirname(dir)), path.basename(dir));
  }
}
