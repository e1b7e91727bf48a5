import type { ToolResult } from '../../contracts/tool.ts';
import { isRefused } from '../guard.ts';
import { classifyPath, displayPath, type RootPath } from '../path.ts';
import { failure, type ToolWorld } from './define-tool.ts';
import { refusedResult } from './locate-path.ts';
import { runRipgrep, type RipgrepOutput } from './run-ripgrep.ts';
import { decodeText } from './text-file.ts';

export interface SearchQuery {
  readonly text: string;
  readonly isRegex: boolean;
  readonly isCaseIgnored: boolean;
}

/** The arguments that say what is looked for; the query is part of its option, so that a leading `-` is not one. */
export function queryArguments(query: SearchQuery): readonly string[] {
  return [
    ...(query.isRegex ? [] : ['--fixed-strings']),
    query.isCaseIgnored ? '--ignore-case' : '--case-sensitive',
    '--encoding=none',
    '--crlf',
    '--no-messages',
    `--regexp=${query.text}`,
  ];
}

interface Proposal {
  readonly files: readonly RootPath[];
  readonly isCut: boolean;
}

interface ProposeTask {
  readonly query: SearchQuery;
  readonly glob?: string;
  readonly signal: AbortSignal;
}

const maxListBytes = 1024 * 1024;
const maxIgnoreLines = 200;

/**
 * Asks ripgrep which files may have a hit. Its word is only a proposal: whatever it opened, only paths come back, and
 * `findHits` reads each through the guard. It runs in the held folder, follows no links, and reads no ignore file or
 * configuration of its own; the root's `.gitignore` is read through the guard and given as globs.
 */
export async function proposeFiles(world: ToolWorld, at: RootPath, task: ProposeTask): Promise<Proposal | ToolResult> {
  const facts = world.roots.stat(at);
  if (isRefused(facts)) return refusedResult(facts);
  if (facts.kind === 'file') return { files: [at], isCut: false };
  const output = await world.roots.within(at, async ({ location }) => {
    const argv = [...folderArguments(world, at, task), ...queryArguments(task.query), './'];
    return await runRipgrep({ argv, cwd: location, maxOutputBytes: maxListBytes, timeoutMs: world.limits.searchMs, signal: task.signal });
  });
  if (isRefused(output)) return refusedResult(output);
  const problem = problemOf(output);
  if (problem !== undefined) return problem;
  return { files: filesOf(world, at, output), isCut: output.ended === 'output' };
}

/** What a failed or ended run of ripgrep means. */
export function problemOf(output: RipgrepOutput): ToolResult | undefined {
  if (output.ended === 'time') return failure('search.timed-out', 'The search took too long and was ended; narrow the path or glob.');
  if (output.ended === 'signal') return failure('tool.cancelled', 'The search was ended because the run was stopped.');
  if (output.exit !== 2 || output.stdout.length > 0 || output.stderr.trim() === '') return undefined;
  return failure('search.bad-query', `The search cannot be made: ${output.stderr.trim().replace(/^rg: /, '')}`);
}

function folderArguments(world: ToolWorld, at: RootPath, task: ProposeTask): readonly string[] {
  const ignored = [...ignoreLines(world, at), 'node_modules', '.git', '.clawhold'];
  return [
    '--files-with-matches',
    '--null',
    '--no-follow',
    '--one-file-system',
    '--no-ignore',
    '--hidden',
    '--max-filesize=4M',
    '--threads=2',
    ...(task.glob === undefined ? [] : [`--glob=${task.glob}`]),
    ...ignored.map((pattern) => `--iglob=!${pattern}`),
  ];
}

function ignoreLines(world: ToolWorld, at: RootPath): readonly string[] {
  const content = world.roots.read(
    { root: at.root, path: at.path === '.' ? '.gitignore' : `${at.path}/.gitignore` },
    { maxBytes: 64 * 1024 },
  );
  const text = isRefused(content) ? '' : (decodeText(content.bytes) ?? '');
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !/^[#!]|[[\]{}\\]/.test(line)).slice(0, maxIgnoreLines);
}

function filesOf(world: ToolWorld, at: RootPath, output: RipgrepOutput): readonly RootPath[] {
  const paths = output.stdout.toString('utf8').split('\0');
  // The last one may be cut off.
  paths.pop();
  const prefix = displayPath({ root: at.root, path: at.path === '.' ? '' : `${at.path}/` });
  return paths
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((path) => classifyPath(prefix + path.replace(/^\.\//, ''), world.roots.names))
    .flatMap((found) => ('outside' in found ? [] : [found]));
}
