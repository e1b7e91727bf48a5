export interface TextChange {
  /** As a plan names the target. */
  readonly path: string;
  /** Undefined: the file does not exist yet. */
  readonly before: string | undefined;
  /** Undefined: the file is removed. */
  readonly after: string | undefined;
}

/** The search takes the square of it: with this a tenth of a second, with ten times as much the server would stand still. */
const maxEditLength = 400;

/**
 * What a person sees of a change: a unified diff, or one sentence where none can be shown. Not redacted, not escaped.
 * Where more than some hundred lines differ, all lines between the first and the last of them are shown as changed.
 */
export async function diffText(change: TextChange): Promise<string> {
  const { path, before, after } = change;
  if (before?.includes('\0') === true || after?.includes('\0') === true) return `${path}: binary, cannot be shown\n`;
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import('diff');
  const from = before === undefined ? '/dev/null' : `a/${path}`;
  const to = after === undefined ? '/dev/null' : `b/${path}`;
  const options = { context: 3, maxEditLength, headerOptions: FILE_HEADERS_ONLY };
  const patch = createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, options);
  return patch ?? `--- ${from}\n+++ ${to}\n${wholeHunk(linesOf(before ?? ''), linesOf(after ?? ''))}`;
}

/** With their line ends; the last one may have none. */
function linesOf(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** One hunk from the first line that differs to the last one. */
function wholeHunk(before: readonly string[], after: readonly string[]): string {
  const most = Math.min(before.length, after.length);
  let first = 0;
  while (first < most && before[first] === after[first]) first += 1;
  let last = 0;
  while (last < most - first && before.at(-1 - last) === after.at(-1 - last)) last += 1;
  const old = before.slice(first, before.length - last);
  const now = after.slice(first, after.length - last);
  return `@@ -${rangeOf(first, old.length)} +${rangeOf(first, now.length)} @@\n${signed('-', old)}${signed('+', now)}`;
}

/** Of no lines the place is the line before them. */
function rangeOf(first: number, length: number): string {
  return `${length === 0 ? first : first + 1},${length}`;
}

function signed(sign: string, lines: readonly string[]): string {
  return lines.map((line) => `${sign}${line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`}`).join('');
}
