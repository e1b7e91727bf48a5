import { setImmediate } from 'node:timers/promises';
import type { ToolResult } from '../../contracts/tool.ts';
import { isRefused } from '../guard.ts';
import type { RootPath } from '../path.ts';
import type { ToolWorld } from './define-tool.ts';
import { runRipgrep } from './run-ripgrep.ts';
import { problemOf, queryArguments, type SearchQuery } from './search-propose.ts';
import { decodeText } from './text-file.ts';

export interface SearchHit {
  readonly at: RootPath;
  readonly line: number;
  /** The hit and the lines around it, cut to a readable width. */
  readonly lines: readonly { readonly number: number; readonly text: string; readonly isHit: boolean }[];
}

export interface SearchHits {
  readonly hits: readonly SearchHit[];
  readonly isCut: boolean;
}

export interface SearchTask {
  readonly query: SearchQuery;
  readonly limit: number;
  readonly context: number;
  readonly signal: AbortSignal;
}

const maxTotalBytes = 16 * 1024 * 1024;
const maxFileBytes = 4 * 1024 * 1024;
const maxWidth = 400;

interface Loaded {
  readonly at: RootPath;
  readonly lines: readonly string[];
  /** How many lines of earlier files stand before its first. */
  readonly offset: number;
}

/**
 * Finds the hits in the proposed files, as the guard reads them: ripgrep gets their text on standard input and opens
 * nothing, so a hit cannot come from, or tell anything about, a file that the guard refuses. Secrets are hidden before
 * the match: otherwise a regular expression could ask for one letter by letter.
 */
export async function findHits(world: ToolWorld, files: readonly RootPath[], task: SearchTask): Promise<SearchHits | ToolResult> {
  const loaded = await load(world, files);
  const input = Buffer.from(loaded.files.flatMap((file) => file.lines.map((line) => `${line}\n`)).join(''), 'utf8');
  const argv = [
    '--line-number',
    '--no-heading',
    '--color=never',
    '--max-columns=1',
    `--max-count=${task.limit + 1}`,
    ...queryArguments(task.query),
    '-',
  ];
  const output = await runRipgrep({
    argv,
    cwd: '/',
    input,
    maxOutputBytes: 1024 * 1024,
    timeoutMs: world.limits.searchMs,
    signal: task.signal,
  });
  const problem = problemOf(output);
  if (problem !== undefined) return problem;
  const numbers = output.stdout
    .toString('utf8')
    .split('\n')
    .flatMap((line) => /^(\d+):/.exec(line)?.[1] ?? [])
    .map(Number);
  const hits = numbers.slice(0, task.limit).flatMap((number) => hitAt(loaded.files, number, task.context));
  return { hits, isCut: loaded.isCut || numbers.length > task.limit };
}

async function load(world: ToolWorld, files: readonly RootPath[]): Promise<{ readonly files: readonly Loaded[]; readonly isCut: boolean }> {
  const loaded: Loaded[] = [];
  let total = 0;
  let offset = 0;
  for (const [index, at] of files.entries()) {
    // Other runs of the process get their turn.
    if (index % 100 === 99) await setImmediate();
    const content = world.roots.read(at, { maxBytes: maxFileBytes });
    if (isRefused(content)) continue;
    const text = decodeText(content.bytes);
    if (text === undefined || text === '') continue;
    total += content.bytes.length;
    if (total > maxTotalBytes) return { files: loaded, isCut: true };
    const lines = world.hide(text).replace(/\n$/, '').split('\n');
    loaded.push({ at, lines, offset });
    offset += lines.length;
  }
  return { files: loaded, isCut: false };
}

function hitAt(files: readonly Loaded[], number: number, context: number): SearchHit | [] {
  const file = files.findLast((candidate) => candidate.offset < number);
  if (file === undefined) return [];
  const line = number - file.offset;
  const first = Math.max(1, line - context);
  const around = file.lines.slice(first - 1, line + context);
  return {
    at: file.at,
    line,
    lines: around.map((text, index) => ({ number: first + index, text: cut(text), isHit: first + index === line })),
  };
}

function cut(line: string): string {
  const text = line.replace(/\r$/, '');
  return text.length <= maxWidth ? text : `${text.slice(0, maxWidth)} [cut]`;
}
