import type { EditOutcome } from './edit-outcome.ts';
import { parsePatch, type Hunk, type HunkLine } from './parse-patch.ts';

interface Line {
  readonly text: string;
  readonly end: '' | '\n' | '\r\n';
}

/**
 * Applies a unified diff: all hunks or none. Fuzz is zero: a hunk's context and removed lines must all be there,
 * exactly. They may stand elsewhere than the header says, if they stand there only once.
 *
 * Contract: line ends of the patch do not matter, those of the file stay; so does a missing last line end, unless the
 * patch says otherwise with `\ No newline at end of file`.
 */
export function applyPatch(text: string, patch: string): EditOutcome {
  const parsed = parsePatch(patch.replace(/^\ufeff/, '').replaceAll('\r\n', '\n'));
  if ('problem' in parsed) return { code: 'edit.bad-patch', problem: `The patch cannot be read: ${parsed.problem}.` };
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const lines = splitLines(text.slice(mark.length));
  const state: Progress = { lines, done: [], next: 0 };
  for (const [at, hunk] of parsed.hunks.entries()) {
    const label = parsed.hunks.length === 1 ? 'The hunk' : `Hunk ${at + 1} of ${parsed.hunks.length}`;
    const outcome = applyHunk(state, hunk, label);
    if (outcome !== undefined) return outcome;
  }
  state.done.push(...lines.slice(state.next));
  return { text: mark + joinLines(state.done, styleOf(lines)) };
}

interface Progress {
  readonly lines: readonly Line[];
  readonly done: Line[];
  /** The first line of the old file that no hunk has touched. */
  next: number;
}

function applyHunk(state: Progress, hunk: Hunk, label: string): EditOutcome | undefined {
  const old = hunk.lines.filter((line) => line.op !== '+');
  const at = findHunk(state, hunk, label);
  if (typeof at !== 'number') return at;
  state.done.push(...state.lines.slice(state.next, at));
  const style = state.lines[at]?.end || state.lines[at - 1]?.end || styleOf(state.lines);
  let from = at;
  const added: Line[] = [];
  for (const line of hunk.lines) {
    if (line.op === '+') added.push({ text: line.text, end: style });
    else {
      const kept = state.lines[from];
      if (line.op === ' ' && kept !== undefined) added.push(kept);
      from += 1;
    }
  }
  state.next = at + old.length;
  const isTail = state.next === state.lines.length;
  state.done.push(...(isTail ? endTail(added, hunk, { style, isUnended: state.lines.at(-1)?.end === '' }) : added));
  return undefined;
}

/** The end of the last line of the file: as the patch says, else as it was. */
function endTail(added: readonly Line[], hunk: Hunk, was: { readonly style: Line['end']; readonly isUnended: boolean }): readonly Line[] {
  const last = added.at(-1);
  if (last === undefined) return added;
  const says = hunk.lines.some((line) => line.isUnended);
  const isUnended = says ? hunk.lines.findLast((line) => line.op !== '-')?.isUnended === true : was.isUnended;
  return [...added.slice(0, -1), { text: last.text, end: isUnended ? '' : last.end || was.style }];
}

/** The index of the old line at which the hunk applies, or why it does not. */
function findHunk(state: Progress, hunk: Hunk, label: string): number | EditOutcome {
  const old = hunk.lines.filter((line) => line.op !== '+');
  const stated = hunk.oldStart === undefined ? undefined : hunk.oldStart - (old.length === 0 ? 0 : 1);
  if (old.length === 0) {
    if (stated !== undefined && stated >= state.next && stated <= state.lines.length) return stated;
    return {
      code: 'edit.not-found',
      problem: `${label} has no context and no line number in the file, so its place is unknown; add context lines.`,
    };
  }
  const found = placesOf(state, old);
  if (stated !== undefined && found.includes(stated)) return stated;
  if (found.length === 1) return found[0] ?? 0;
  if (found.length > 1) {
    const numbers = found.slice(0, 5).map((at) => at + 1);
    return {
      code: 'edit.ambiguous',
      problem: `${label} does not apply at its line, and fits at ${found.length} others (lines ${numbers.join(', ')}); add context lines.`,
    };
  }
  const plain = state.lines.map((line) => line.text).join('\n');
  const wanted = old.map((line) => line.text).join('\n');
  return {
    code: 'edit.not-found',
    problem: `${label} does not apply: its context and removed lines are not in the file.`,
    missing: { text: plain, wanted },
  };
}

/** Every index from which the wanted lines follow one another, in time linear in both. Source: Knuth, Morris, Pratt 1977. */
function placesOf(state: Progress, wanted: readonly HunkLine[]): readonly number[] {
  const texts = wanted.map((line) => line.text);
  const borders = bordersOf(texts);
  const found: number[] = [];
  let matched = 0;
  for (let at = state.next; at < state.lines.length; at += 1) {
    const text = state.lines[at]?.text;
    while (matched > 0 && (matched === texts.length || texts[matched] !== text)) matched = borders[matched - 1] ?? 0;
    if (texts[matched] === text) matched += 1;
    if (matched === texts.length) found.push(at - matched + 1);
  }
  const isUnended = wanted.some((line) => line.isUnended);
  return isUnended ? found.filter((at) => state.lines[at + wanted.length - 1]?.end === '') : found;
}

/** Of each prefix: the length of its longest proper prefix that is also its suffix. */
function bordersOf(texts: readonly string[]): readonly number[] {
  const borders = [0];
  for (let at = 1; at < texts.length; at += 1) {
    let length = borders[at - 1] ?? 0;
    while (length > 0 && texts[length] !== texts[at]) length = borders[length - 1] ?? 0;
    borders.push(texts[length] === texts[at] ? length + 1 : 0);
  }
  return borders;
}

function splitLines(text: string): readonly Line[] {
  return (text.match(/[^\n]*\n|[^\n]+$/g) ?? []).map((line) => {
    if (line.endsWith('\r\n')) return { text: line.slice(0, -2), end: '\r\n' };
    return line.endsWith('\n') ? { text: line.slice(0, -1), end: '\n' } : { text: line, end: '' };
  });
}

/** A line that was last and is not any more gets a line end. */
function joinLines(lines: readonly Line[], style: Line['end']): string {
  return lines.map((line, at) => line.text + (at < lines.length - 1 ? line.end || style : line.end)).join('');
}

function styleOf(lines: readonly Line[]): '\n' | '\r\n' {
  return lines[0]?.end === '\r\n' ? '\r\n' : '\n';
}
