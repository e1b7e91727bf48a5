import fs from 'node:fs';
import path from 'node:path';

/** One file of a log. Segment 1 is `000001.jsonl`. */
export interface Segment {
  readonly number: number;
  readonly name: string;
  readonly file: string;
}

export function segmentAt(dir: string, number: number): Segment {
  const name = `${String(number).padStart(6, '0')}.jsonl`;
  return { number, name, file: path.join(dir, name) };
}

/** The segments of a log in order, as the names in the folder say; a gap is for the reader to find. */
export function listSegments(dir: string): Segment[] {
  return fs
    .readdirSync(dir)
    .filter((name) => /^\d{6}\.jsonl$/.test(name))
    .toSorted()
    .map((name) => segmentAt(dir, Number.parseInt(name, 10)));
}
