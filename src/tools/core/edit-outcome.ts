import type { ToolCode } from '../tool-code.ts';

/** The new text, or why nothing is changed. */
export type EditOutcome =
  | { readonly text: string }
  | {
      readonly code: ToolCode;
      readonly problem: string;
      /** What was not found in which text, for `similarLines`. */
      readonly missing?: { readonly text: string; readonly wanted: string };
    };

const maxShown = 3;
const maxCompared = 1000;
const maxWidth = 160;

/** The lines of a text (with its secrets hidden) most like the first telling line of what was looked for, for the message that it is not there. */
export function similarLines(text: string, wanted: string): string {
  const sample =
    wanted
      .split('\n')
      .find((line) => /\p{L}/u.test(line))
      ?.trim()
      .slice(0, maxWidth) ?? '';
  const words = sample.match(/[\p{L}\p{N}_]{2,}/gu) ?? [];
  if (words.length === 0) return ' Read the file again.';
  const pairs = bigrams(sample);
  const ranked = text
    .split('\n')
    .flatMap((line, at) => (words.some((word) => line.includes(word)) ? [{ line: line.trim().slice(0, maxWidth), number: at + 1 }] : []))
    .slice(0, maxCompared)
    .map(({ line, number }) => ({ line, number, likeness: likeness(pairs, bigrams(line)) }))
    .filter((candidate) => candidate.likeness > 0.4)
    .toSorted((a, b) => b.likeness - a.likeness || a.number - b.number)
    .slice(0, maxShown);
  if (ranked.length === 0) return ' No line of the file is like its first line; read the file again.';
  return ` Most like its first line:\n${ranked.map(({ number, line }) => `  ${number}: ${line}`).join('\n')}`;
}

function bigrams(text: string): ReadonlySet<string> {
  if (text.length < 2) return new Set([text]);
  return new Set(Array.from({ length: text.length - 1 }, (_, at) => text.slice(at, at + 2)));
}

/** Dice's coefficient. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const pair of a) if (b.has(pair)) common += 1;
  return (2 * common) / (a.size + b.size);
}
