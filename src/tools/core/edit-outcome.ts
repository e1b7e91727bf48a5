import type { ToolCode } from '../tool-code.ts';

/** The new text, or why nothing is changed. */
export type EditOutcome = { readonly text: string } | { readonly code: ToolCode; readonly problem: string };

const maxShown = 3;
const maxCompared = 20_000;
const maxWidth = 160;

/** The lines of a text most like the first telling line of what was looked for, for the message that it is not there. */
export function similarLines(text: string, wanted: string): string {
  const sample =
    wanted
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? '';
  if (sample === '') return '';
  const pairs = bigrams(sample);
  const ranked = text
    .split('\n', maxCompared)
    .map((line, at) => ({ line, number: at + 1, likeness: likeness(pairs, bigrams(line.trim().slice(0, maxWidth))) }))
    .filter((candidate) => candidate.likeness > 0.4)
    .toSorted((a, b) => b.likeness - a.likeness || a.number - b.number)
    .slice(0, maxShown);
  if (ranked.length === 0) return ' No line of the file is like its first line; read the file again.';
  return ` Most like its first line:\n${ranked.map(({ number, line }) => `  ${number}: ${line.trimEnd().slice(0, maxWidth)}`).join('\n')}`;
}

function bigrams(text: string): ReadonlySet<string> {
  const short = text.slice(0, maxWidth);
  if (short.length < 2) return new Set([short]);
  return new Set(Array.from({ length: short.length - 1 }, (_, at) => short.slice(at, at + 2)));
}

/** Dice's coefficient. */
function likeness(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  let common = 0;
  for (const pair of a) if (b.has(pair)) common += 1;
  return (2 * common) / (a.size + b.size);
}
