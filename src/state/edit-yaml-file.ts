import fs from 'node:fs';
import type * as z from 'zod/mini';
import { RetryableError } from '../contracts/errors.ts';
import { sha256, type Sha256 } from '../contracts/json.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { parseYaml, type ParsedYaml, type YamlEditor } from './yaml-file.ts';
import { editorOf } from './yaml-file/editor.ts';
import { parseTree } from './yaml-file/parse-document.ts';

export interface YamlEdit<T> extends ParsedYaml<T> {
  /** Hash of the bytes before; absent when the file is new. For the ledger's `config.change`. */
  readonly before?: Sha256;
  readonly after: Sha256;
}

/**
 * Changes a file and keeps its comments, order and style; a missing file begins as `version: 1`. The result is checked
 * before anything is written; the old bytes become `<name>.bak`.
 *
 * @throws InvalidFileError when the file cannot be parsed or the result breaks the schema; nothing is written then.
 * @throws RetryableError when somebody else changed the file meanwhile.
 */
export async function editYamlFile<T>(file: string, schema: z.ZodMiniType<T>, edit: (editor: YamlEditor) => void): Promise<YamlEdit<T>> {
  const old = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
  const { document } = parseTree(old ?? 'version: 1\n', file);
  const before = JSON.stringify(document.toJS());
  edit(editorOf(document));
  // Without a change the text stays as the human wrote it; printing would only move blanks.
  const text = old !== undefined && JSON.stringify(document.toJS()) === before ? old : document.toString({ lineWidth: 0 });
  const parsed = parseYaml(text, schema, file);
  const now = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
  if (now !== old)
    throw new RetryableError(
      'state.file-changed',
      `${file} was changed by somebody else at the same moment, so nothing was written. Try again.`,
    );
  if (text !== old) await writeFileAtomic(file, text, { keepBackup: isGood(old, schema, file) });
  return { ...parsed, ...(old === undefined ? {} : { before: sha256(old) }), after: sha256(text) };
}

function isGood(text: string | undefined, schema: z.ZodMiniType, file: string): boolean {
  if (text === undefined) return false;
  try {
    parseYaml(text, schema, file);
    return true;
  } catch {
    // silent-ok: a bad file is being repaired; it must not replace the last good backup.
    return false;
  }
}
