import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import { syncDirectory } from '../../state/durable-dir.ts';

const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;
const maxFileBytes = 64 * 1024;

/**
 * The bytes of one file of a secrets folder; undefined when it is not there.
 *
 * Contract: nothing is read through a link, and nothing that another user may read or could have written.
 * @throws FixRequestError `broker.unsafe-secret-file`
 */
export function readSecretFile(dir: string, file: string): string | undefined {
  if (!checkSecretFolder(dir)) return undefined;
  const full = path.join(dir, file);
  let fd: number;
  try {
    fd = fs.openSync(full, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw unsafe(full, code === 'ELOOP' ? 'it is a link' : `it cannot be opened (${code})`, 'Replace it with a file of its own.');
  }
  try {
    const stat = fs.fstatSync(fd);
    const fault = faultOf(stat, 0o600);
    if (fault !== undefined) throw unsafe(full, fault, `Run chmod 600 on it, and make it yours.`);
    return fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes the folder, mode 0700, with its parents. @throws FixRequestError when what is there is not safe. */
export function makeSecretFolder(dir: string): void {
  if (!checkSecretFolder(dir)) {
    fs.mkdirSync(path.dirname(dir), { recursive: true, mode: 0o700 });
    fs.mkdirSync(dir, { mode: 0o700 });
    fs.chmodSync(dir, 0o700);
    syncDirectory(path.dirname(dir));
    checkSecretFolder(dir);
  }
}

/**
 * False when the folder does not exist. Its parents may be read by others, but nobody else may be able to put another
 * folder in its place.
 */
export function checkSecretFolder(dir: string): boolean {
  const stat = fs.lstatSync(dir, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  const fault = stat.isSymbolicLink() ? 'it is a link' : stat.isDirectory() ? modeFault(stat, 0o700) : 'it is not a folder';
  if (fault !== undefined) throw unsafe(dir, fault, 'Run chmod 700 on it, and make it yours.');
  for (let parent = path.dirname(dir); parent !== path.dirname(parent); parent = path.dirname(parent)) {
    const above = fs.lstatSync(parent);
    const isSticky = (above.mode & 0o1000) !== 0;
    if (!above.isDirectory() || !isMineOrRoots(above) || ((above.mode & 0o022) !== 0 && !isSticky))
      throw unsafe(dir, `another user could replace its parent ${parent}`, 'Take the right to write it from other users.');
  }
  return true;
}

function faultOf(stat: fs.Stats, mode: number): string | undefined {
  if (!stat.isFile()) return 'it is not a regular file';
  if (stat.nlink !== 1) return 'it has more than one name';
  if (stat.size > maxFileBytes) return `it has more than ${maxFileBytes} bytes`;
  return modeFault(stat, mode);
}

function modeFault(stat: fs.Stats, mode: number): string | undefined {
  if (process.geteuid !== undefined && stat.uid !== process.geteuid()) return `it belongs to user ${stat.uid}, not to you`;
  const has = stat.mode & 0o7777;
  return has === mode ? undefined : `its mode is ${has.toString(8).padStart(4, '0')}, not ${mode.toString(8).padStart(4, '0')}`;
}

function isMineOrRoots(stat: fs.Stats): boolean {
  return stat.uid === 0 || process.geteuid === undefined || stat.uid === process.geteuid();
}

function unsafe(what: string, why: string, todo: string): FixRequestError {
  return new FixRequestError('broker.unsafe-secret-file', `${what} is not used for secrets, because ${why}. ${todo}`);
}
