import type { EditOutcome } from './edit-outcome.ts';

export interface Replacement {
  readonly oldText: string;
  readonly newText: string;
  readonly replaceAll?: boolean | undefined;
}

/**
 * Applies exact replacements in order, each to the result of the one before: all or none.
 *
 * Contract: line ends of the edit do not matter, those of the file stay: a replaced part gets the line end that the
 * file has there. Every byte outside the replaced parts stays.
 */
export function replaceTexts(text: string, replacements: readonly Replacement[]): EditOutcome {
  let current = text;
  for (const [at, replacement] of replacements.entries()) {
    const outcome = replaceText(current, replacement, replacements.length === 1 ? 'The edit' : `Edit ${at + 1} of ${replacements.length}`);
    if (!('text' in outcome)) return outcome;
    current = outcome.text;
  }
  return { text: current };
}

function replaceText(text: string, replacement: Replacement, label: string): EditOutcome {
  const plain = text.replaceAll('\r\n', '\n');
  const wanted = replacement.oldText.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
  if (wanted === '')
    return { code: 'edit.not-found', problem: `${label} has an empty oldText, which is everywhere; name the text to replace.` };
  const found = allIndexes(plain, wanted);
  if (found.length === 0) {
    const problem = `${label} does not apply: its oldText is not in the file.`;
    return { code: 'edit.not-found', problem, missing: { text: plain, wanted } };
  }
  if (found.length > 1 && replacement.replaceAll !== true) {
    const lines = found.slice(0, 5).map((index) => plain.slice(0, index).split('\n').length);
    return {
      code: 'edit.ambiguous',
      problem: `${label} does not apply: its oldText is in the file ${found.length} times (lines ${lines.join(', ')}${found.length > 5 ? ', …' : ''}). Add surrounding lines until it is there once, or set replaceAll.`,
    };
  }
  return { text: splice(text, found, { wanted, newText: replacement.newText }) };
}

function allIndexes(text: string, wanted: string): readonly number[] {
  const found: number[] = [];
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) found.push(at);
  return found;
}

/** Replaces at positions of the text without carriage returns, in the text with them. */
function splice(text: string, found: readonly number[], change: { readonly wanted: string; readonly newText: string }): string {
  const real = realPositions(
    text,
    found.flatMap((at) => [at, at + change.wanted.length]),
  );
  const parts: string[] = [];
  let done = 0;
  for (let index = 0; index < found.length; index += 1) {
    const start = real[2 * index] ?? 0;
    const end = real[2 * index + 1] ?? 0;
    parts.push(text.slice(done, start), change.newText.replaceAll('\r\n', '\n').replaceAll('\n', lineEndAt(text, start, end)));
    done = end;
  }
  parts.push(text.slice(done));
  return parts.join('');
}

/** Where ascending positions of the text without carriage returns before line feeds are in the text itself. */
function realPositions(text: string, positions: readonly number[]): readonly number[] {
  let removed = 0;
  let next = text.indexOf('\r\n');
  return positions.map((position) => {
    while (next >= 0 && next - removed < position) {
      removed += 1;
      next = text.indexOf('\r\n', next + 2);
    }
    return position + removed;
  });
}

/** The line end inside the part, else the nearest before it, else the first after it. */
function lineEndAt(text: string, start: number, end: number): string {
  const inside = text.indexOf('\n', start);
  const before = start === 0 ? -1 : text.lastIndexOf('\n', start - 1);
  const at = inside >= 0 && inside < end ? inside : before >= 0 ? before : inside;
  return at > 0 && text[at - 1] === '\r' ? '\r\n' : '\n';
}
