import fs from 'node:fs';
import { promisify } from 'node:util';
import { sha256, type Sha256 } from '../../contracts/json.ts';
import { temporarySuffix } from '../path/name-fault.ts';
import { locate, verify } from './directory.ts';
import { readRegular, requireRegular, statPlace } from './read-file.ts';
import { errnoOf, Refusal } from './refusal.ts';
import type { Place } from './root.ts';

const fsync = promisify(fs.fsync);
const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;

/** What the target must be at the moment of the change. Absent: anything. */
export interface Expectation {
  readonly expect?: Sha256 | 'absent';
  readonly maxBytes: number;
}

/**
 * Replaces or creates a file: written whole beside its target, made durable, renamed over it. A reader sees the old
 * bytes or the new ones. Mode and owner of an existing file stay; on failure the temporary file goes.
 */
export async function replaceRegular(place: Place, bytes: Uint8Array, expectation: Expectation): Promise<{ readonly created: boolean }> {
  refuseGitHead(place, bytes);
  const existing = checkTarget(place, expectation);
  const temporary = locate(place.folder, temporaryName(place, bytes));
  const fd = openNew(temporary, existing === undefined ? 0o666 : 0o600);
  try {
    writeAll(fd, bytes);
    if (existing !== undefined) keepOwnerAndMode(fd, existing);
    await fsync(fd);
    requireUnchanged(place, existing);
    verify(place.folder, place.shown);
    fs.renameSync(temporary, locate(place.folder, place.name));
  } catch (thrown) {
    fs.rmSync(temporary, { force: true });
    throw thrown;
  } finally {
    fs.closeSync(fd);
  }
  return { created: existing === undefined };
}

/** The same for the same change: a process that was killed in the middle leaves a file that the next try finds and takes away. */
function temporaryName(place: Place, bytes: Uint8Array): string {
  return `.${sha256(`${place.name}\n${sha256(bytes)}`).slice(0, 16)}${temporarySuffix}`;
}

function openNew(file: string, mode: number): number {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  try {
    return fs.openSync(file, flags, mode);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
    fs.unlinkSync(file);
    return fs.openSync(file, flags, mode);
  }
}

export function removeRegular(place: Place, expectation: Expectation): boolean {
  if (statPlace(place) === undefined) return false;
  checkTarget(place, expectation);
  verify(place.folder, place.shown);
  fs.unlinkSync(locate(place.folder, place.name));
  return true;
}

function checkTarget(place: Place, expectation: Expectation): fs.Stats | undefined {
  const existing = statPlace(place);
  if (existing !== undefined) requireRegular(existing, place.shown);
  const { expect } = expectation;
  if (expect === undefined) return existing;
  const current = existing === undefined ? 'absent' : sha256(readRegular(place, expectation).bytes);
  if (current !== expect) throw changed(place);
  return existing;
}

/** Between the check and the rename lies an fsync: whoever changed the target meanwhile wins. */
function requireUnchanged(place: Place, before: fs.Stats | undefined): void {
  const now = statPlace(place);
  if (now?.ino !== before?.ino || now?.mtimeMs !== before?.mtimeMs || now?.size !== before?.size) throw changed(place);
}

function changed(place: Place): Refusal {
  return new Refusal(
    'fs.changed',
    `${place.shown} was changed by something else since it was last looked at; nothing was written; read it again.`,
  );
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += fs.writeSync(fd, bytes, done);
}

function keepOwnerAndMode(fd: number, existing: fs.Stats): void {
  const own = fs.fstatSync(fd);
  if (own.uid !== existing.uid || own.gid !== existing.gid) {
    try {
      fs.fchownSync(fd, existing.uid, existing.gid);
    } catch (thrown) {
      // silent-ok: only root may give files away; the content is what was asked for
      if (errnoOf(thrown) !== 'EPERM') throw thrown;
    }
  }
  fs.fchmodSync(fd, existing.mode & 0o777);
}

/**
 * A file `HEAD` with a reference in it turns its folder into a bare repository, whose `config` git then executes.
 * Git needs that file, so refusing it keeps every other name free.
 */
function refuseGitHead(place: Place, bytes: Uint8Array): void {
  if (place.name.toLowerCase() !== 'head') return;
  const text = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (!/^(?:ref:|[0-9a-f]{40})/i.test(text)) return;
  throw new Refusal(
    'fs.protected',
    `${place.shown} would make its folder a git repository, whose settings run programs; choose another name.`,
  );
}
