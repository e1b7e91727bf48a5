import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import path from 'node:path';
import type * as z from 'zod/mini';
import { reasonOf } from '../contracts/errors.ts';
import { forgetful, type Memo } from '../contracts/memo.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { parseYaml, InvalidFileError, type FileVersions, type ParsedYaml } from './yaml-file.ts';
import { hasControl, syntaxCode } from './yaml-file/parse-document.ts';

export interface ReadYaml<T> extends ParsedYaml<T> {
  /** One sentence for a human: what was restored or migrated. */
  readonly notice?: string;
}

export interface ReadYamlOptions {
  readonly versions?: FileVersions;
  /** How the file is called in messages. Default: its path. */
  readonly name?: string;
  /** Where what was read of the same bytes is kept. */
  readonly memo?: Memo;
}

/**
 * Reads a file by a schema; undefined when it does not exist. Every good text becomes its backup `<name>.bak`, once.
 *
 * Contract: a file that a crash or a disk damaged is replaced by its backup and kept as `<name>.damaged`, and `notice`
 * says so; a file in which a human made a mistake is reported and stays untouched. Damaged means: it cannot be parsed,
 * and it is empty, not text, a part of its backup, or ends without a newline. An older version is migrated, and the
 * old bytes are kept as `<name>.v<version>`.
 * @throws InvalidFileError as parseYaml does.
 */
export async function readYamlFile<T>(
  file: string,
  schema: z.ZodMiniType<T>,
  options: ReadYamlOptions = {},
): Promise<ReadYaml<T> | undefined> {
  const bytes = readIfThere(file);
  if (bytes === undefined) return undefined;
  const name = options.name ?? file;
  const backup = readIfThere(`${file}.bak`);
  const { versions, memo = forgetful } = options;
  const parse = (content: Buffer): ParsedYaml<T> =>
    memo.of(schema, `${name}\0${content.toString('latin1')}`, () =>
      parseYaml(decode(content, name), schema, { file: name, ...(versions === undefined ? {} : { versions }) }),
    );
  let parsed: ParsedYaml<T>;
  try {
    refuseCut(bytes, backup, name);
    parsed = parse(bytes);
  } catch (error) {
    if (!(error instanceof InvalidFileError) || error.code !== syntaxCode) throw error;
    if (backup === undefined || !isDamaged(bytes, backup)) throw withAdvice(error, backup !== undefined);
    return restore({ file, name, bytes, backup, parse, error });
  }
  if (parsed.migratedFrom !== undefined) return keepMigrated(file, name, { bytes, parsed });
  await refreshBackup(file, bytes, backup);
  return parsed;
}

async function restore<T>(damage: {
  readonly file: string;
  readonly name: string;
  readonly bytes: Buffer;
  readonly backup: Buffer;
  readonly parse: (content: Buffer) => ParsedYaml<T>;
  readonly error: InvalidFileError;
}): Promise<ReadYaml<T>> {
  const { file, name, bytes, backup, parse, error } = damage;
  let parsed: ParsedYaml<T>;
  try {
    parsed = parse(backup);
  } catch (cause) {
    throw new InvalidFileError(name, error.violations, {
      cause,
      code: 'config.damaged',
      advice: `Its backup ${name}.bak cannot be used either; write the file anew.`,
    });
  }
  await writeFileAtomic(`${file}.damaged`, bytes);
  await writeFileAtomic(file, backup);
  const notice = `${name} was damaged (${error.violations[0]?.message ?? 'unreadable'}) and was restored from its last good version ${name}.bak; the damaged bytes are kept in ${name}.damaged.`;
  return { ...parsed, notice };
}

async function keepMigrated<T>(
  file: string,
  name: string,
  found: { readonly bytes: Buffer; readonly parsed: ParsedYaml<T> },
): Promise<ReadYaml<T>> {
  const kept = `.v${found.parsed.migratedFrom}`;
  await writeFileAtomic(`${file}${kept}`, found.bytes);
  await writeFileAtomic(file, found.parsed.text);
  return {
    ...found.parsed,
    notice: `${name} was brought from version ${found.parsed.migratedFrom} to the current one; the old file is kept as ${path.basename(file)}${kept}.`,
  };
}

async function refreshBackup(file: string, bytes: Buffer, backup: Buffer | undefined): Promise<void> {
  if (backup?.equals(bytes) === true) return;
  try {
    await writeFileAtomic(`${file}.bak`, bytes, { mode: fs.statSync(file).mode & 0o777 });
  } catch {
    // silent-ok: a read-only home can be read; a backup is for the next time that somebody writes.
  }
}

/** A cut file can still be good YAML, with the rules at its end gone: so it is looked for before parsing. */
function refuseCut(bytes: Buffer, backup: Buffer | undefined, name: string): void {
  if (backup === undefined || bytes.length >= backup.length || !backup.subarray(0, bytes.length).equals(bytes)) return;
  const isMidLine = bytes.at(-1) !== 10 && backup[bytes.length] !== 10;
  if (isMidLine)
    throw new InvalidFileError(name, [{ line: 0, path: '', message: `was cut off after ${bytes.length} bytes` }], { code: syntaxCode });
}

function isDamaged(bytes: Buffer, backup: Buffer): boolean {
  return bytes.at(-1) !== 10 || !isUtf8(bytes) || hasControl(bytes.toString('utf8')) || backup.subarray(0, bytes.length).equals(bytes);
}

function withAdvice(error: InvalidFileError, hasBackup: boolean): InvalidFileError {
  if (!hasBackup) return error;
  return new InvalidFileError(error.file, error.violations, {
    cause: error,
    code: error.code,
    advice: `Correct the file and try again; its last good version is ${error.file}.bak.`,
  });
}

/** Byte order marks are dropped; anything that is not UTF-8 is refused. */
function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new InvalidFileError(name, [{ line: 0, path: '', message: `is not UTF-8 text (${reasonOf(error)})` }], {
      cause: error,
      code: syntaxCode,
    });
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
