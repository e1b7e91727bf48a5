import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import { AskHumanError, reasonOf } from '../contracts/errors.ts';
import type { Journal, JournalEntry } from '../contracts/journal.ts';
import { openLineFile, type LineFileOptions } from './line-file.ts';

export interface OpenJournal extends Journal, AsyncDisposable {
  /** Bytes of a torn last entry that a crash left and that were cut off. */
  readonly droppedBytes: number;
}

/**
 * Opens a run's journal for its one writer; the file and its folder are made when missing.
 *
 * Contract: a torn last line is cut off; anything else that is not an entry is damage and is not touched.
 * @throws AskHumanError that names file and line when an entry is damaged.
 */
export async function openJournal(file: string, options: LineFileOptions = {}): Promise<OpenJournal> {
  const target = openLineFile(file, options);
  try {
    return {
      entries: target.size === 0 ? [] : parseEntries(fs.readFileSync(file), file),
      droppedBytes: target.droppedBytes,
      append: (entry) => target.append(JSON.stringify(entry)),
      [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
    };
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * The entries of a journal, read only: a torn last line is left out and stays.
 * @throws AskHumanError that names file and line when an entry is damaged.
 */
export async function readJournal(file: string): Promise<readonly JournalEntry[]> {
  const bytes = await fs.promises.readFile(file);
  return parseEntries(bytes.subarray(0, bytes.lastIndexOf(10) + 1), file);
}

/** `bytes` are whole lines. */
function parseEntries(bytes: Buffer, file: string): JournalEntry[] {
  const lines = bytes.toString('utf8').split('\n');
  lines.pop();
  if (!isUtf8(bytes)) throw damaged(`${file}:${1 + lines.findIndex((line) => line.includes('\ufffd'))}`, 'it is not UTF-8');
  return lines.map((line, index) => parseEntry(line, `${file}:${index + 1}`));
}

function parseEntry(line: string, place: string): JournalEntry {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch (error) {
    throw damaged(place, reasonOf(error), error);
  }
  const kind = typeof entry === 'object' && entry !== null ? (entry as { kind?: unknown }).kind : undefined;
  if (typeof kind !== 'string' || !kinds.has(kind)) throw damaged(place, 'it is not an entry of a journal');
  return entry as JournalEntry;
}

const kindTable: Readonly<Record<JournalEntry['kind'], true>> = {
  accepted: true,
  resumed: true,
  value: true,
  prompt: true,
  compaction: true,
  'model.request': true,
  'model.answer': true,
  'model.error': true,
  decisions: true,
  'approval.requested': true,
  'approval.answered': true,
  intent: true,
  result: true,
  end: true,
};
const kinds: ReadonlySet<string> = new Set(Object.keys(kindTable));

function damaged(place: string, why: string, cause?: unknown): AskHumanError {
  return new AskHumanError(
    'state.journal-damaged',
    `The journal is damaged at ${place}: ${why}. The run cannot be resumed or replayed from it; restore the file from a backup, or start a new run.`,
    cause === undefined ? undefined : { cause },
  );
}
