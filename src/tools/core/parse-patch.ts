/** One hunk of a unified diff. The counts of its header are not believed: its lines are what is exact. */
export interface Hunk {
  /** 1-based line of the old file, when the header has numbers. */
  readonly oldStart?: number;
  readonly lines: readonly HunkLine[];
}

export interface HunkLine {
  readonly op: ' ' | '-' | '+';
  readonly text: string;
  /** `\ No newline at end of file` follows. */
  readonly isUnended: boolean;
}

const header = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;
const otherFile = /^(?:rename |copy |new file |deleted file |GIT binary patch|Binary files )/;

interface Open {
  readonly oldStart?: number;
  /** Lines that the header still promises; undefined when it has no numbers. */
  left?: { old: number; new: number };
  readonly lines: HunkLine[];
}

/** Reads a unified diff for one existing file. Text is without carriage returns before line feeds. */
export function parsePatch(patch: string): { readonly hunks: readonly Hunk[] } | { readonly problem: string } {
  const lines = patch.replace(/\n$/, '').split('\n');
  const hunks: Open[] = [];
  for (const [at, line] of lines.entries()) {
    const hunk = hunks.at(-1);
    if (line.startsWith('@@')) hunks.push(openHunk(line));
    else if (hunk === undefined || beginsFile(lines, at, hunk)) {
      const problem = headerProblem(line, hunk !== undefined);
      if (problem !== undefined) return { problem };
    } else {
      const problem = addLine(hunk, line);
      if (problem !== undefined) return { problem: `line ${at + 1} of the patch ${problem}` };
    }
  }
  if (hunks.length === 0) return { problem: 'it has no hunk (no line that begins with @@)' };
  return { hunks };
}

function openHunk(line: string): Open {
  const match = header.exec(line);
  if (match === null) return { lines: [] };
  return { oldStart: Number(match[1]), left: { old: Number(match[2] ?? 1), new: Number(match[4] ?? 1) }, lines: [] };
}

/** `--- ` can also be a removed line: it begins a file only where the hunk is complete and a header follows. */
function beginsFile(lines: readonly string[], at: number, hunk: Open): boolean {
  const line = lines[at] ?? '';
  const isComplete = hunk.left === undefined || (hunk.left.old <= 0 && hunk.left.new <= 0);
  if (line.startsWith('diff --git ')) return true;
  return isComplete && line.startsWith('--- ') && lines[at + 1]?.startsWith('+++ ') === true && lines[at + 2]?.startsWith('@@') === true;
}

function headerProblem(line: string, isSecond: boolean): string | undefined {
  if (isSecond) return 'it is for more than one file; make one call for each';
  if (otherFile.test(line) || /^(?:---|\+\+\+) \/dev\/null/.test(line))
    return 'it creates, deletes, renames or is binary; only text of an existing file can be patched';
  return undefined;
}

function addLine(hunk: Open, line: string): string | undefined {
  const op = line[0] ?? ' ';
  if (op === '\\') {
    const last = hunk.lines.pop();
    if (last === undefined) return 'says "no newline" about no line';
    hunk.lines.push({ ...last, isUnended: true });
    return undefined;
  }
  if (op !== ' ' && op !== '-' && op !== '+') return `begins with ${JSON.stringify(op)}, not with a space, "-" or "+"`;
  // An empty line is an empty context line whose space was lost, unless the hunk is complete already.
  if (line === '' && hunk.left !== undefined && hunk.left.old <= 0) return undefined;
  hunk.lines.push({ op, text: line.slice(1), isUnended: false });
  if (hunk.left !== undefined) {
    if (op !== '+') hunk.left.old -= 1;
    if (op !== '-') hunk.left.new -= 1;
  }
  return undefined;
}
