import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import { AskHumanError, reasonOf } from '../contracts/errors.ts';
import { newSha256, type Sha256 } from '../contracts/json.ts';
import { newFenceFilter, type Journal, type JournalEntry } from '../contracts/journal.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { openLineFile, type LineFileOptions } from './line-file.ts';

export interface OpenJournal extends Journal, AsyncDisposable {
  /** Bytes of a torn last entry that a crash left and that were cut off. */
  readonly droppedBytes: number;
  /** Of all lines, those found and those appended since: what the file holds when every append is durable. Ends the journal. */
  sha256(): Sha256;
}

export interface JournalOptions extends LineFileOptions {
  /** Stands in every entry that this holder writes. */
  readonly fence?: number | undefined;
  /** Whoever wrote it before may still have it open and go on writing: its file is replaced, so that this goes nowhere. */
  readonly isTakenFromLiving?: boolean;
}

/**
 * Opens a run's journal for its one writer; the file and its folder are made when missing.
 *
 * Contract: a torn last line is cut off; anything else that is not an entry is damage and is not touched; what an earlier
 * holder wrote after a later one had taken over is left out.
 * @throws AskHumanError that names file and line when an entry is damaged.
 */
export async function openJournal(file: string, options: JournalOptions = {}): Promise<OpenJournal> {
  const { fence } = options;
  if (options.isTakenFromLiving === true) await replaceJournal(file);
  const target = openLineFile(file, options);
  try {
    const found = target.size === 0 ? undefined : fs.readFileSync(file);
    const hash = newSha256();
    if (found !== undefined) hash.update(found);
    return {
      entries: found === undefined ? [] : parseEntries(found, file),
      droppedBytes: target.droppedBytes,
      sha256: () => hash.digest(),
      append: (entry) => {
        const line = JSON.stringify(fence === undefined ? entry : { ...entry, fence });
        hash.update(Buffer.from(`${line}\n`));
        return target.append(line);
      },
      [Symbol.asyncDispose]: () => target[Symbol.asyncDispose](),
    };
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
}

/** Gives the journal a new file with the same whole lines. What a writer adds to the old one from now on is lost to it. */
async function replaceJournal(file: string): Promise<void> {
  // silent-ok: there is none yet, so nobody writes to it.
  const bytes = await fs.promises.readFile(file).catch(() => undefined);
  if (bytes !== undefined) await writeFileAtomic(file, bytes.subarray(0, bytes.lastIndexOf(10) + 1), { mode: 0o600 });
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
  return inForce(lines.map((line, index) => parseEntry(line, `${file}:${index + 1}`)));
}

/** Without what came too late, and without a beginning that another holder began again. */
function inForce(entries: readonly JournalEntry[]): JournalEntry[] {
  const held = entries.filter(newFenceFilter());
  return held.slice(
    Math.max(
      0,
      held.findLastIndex(({ kind }) => kind === 'accepted'),
    ),
  );
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
