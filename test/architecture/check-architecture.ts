import { builtinModules } from 'node:module';
import path from 'node:path';
import type { Room } from '../../src/rooms.ts';
import { findLoads, type Load } from './find-loads.ts';
import { readTokens, type Token } from '../../build/read-tokens.ts';

/** The source tree as data, so that a sabotage case is one object. */
export interface SourceTree {
  readonly rooms: Readonly<Record<string, Room>>;
  readonly guardedModules: readonly string[];
  /** Names in `dependencies` of package.json. */
  readonly packages: readonly string[];
  /** Path relative to `src/`, with `/`, to the file's text. Every file, not only TypeScript. */
  readonly files: ReadonlyMap<string, string>;
  /** Rooms that have a row but need no folder yet. */
  readonly pendingRooms?: readonly string[];
}

const forbiddenNames = new Set(['util', 'utils', 'helper', 'helpers', 'common', 'shared', 'lib', 'types', 'index', 'misc']);
const fileName = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?\.ts$/;
const sql =
  /^\s*(?:SELECT\s[\s\S]*\bFROM\b|(?:INSERT|REPLACE)\s(?:OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|(?:CREATE|DROP|ALTER)\s+(?:\w+\s+)?(?:TABLE|INDEX|VIEW|TRIGGER)\b|PRAGMA\s|BEGIN\s+(?:IMMEDIATE|EXCLUSIVE|DEFERRED)\b|insert\s+into\s+\w+|create\s+table\s|select\s+(?:\*|\w+(?:\s*,\s*\w+)*)\s+from\s+\w+\s+(?:where|order|limit)\b)/;
const readmeLines = 30;

/**
 * Every breach of the room table and of the layout rules, one sentence each, saying what is allowed instead.
 *
 * Test files (`*.test.ts`, `conformance.ts`, `chaos.ts`, anything under `fixtures/`) may import any room's public face, `test/`,
 * development packages and guarded modules, and hold SQL; another room's private sub-folder stays closed to them, except its
 * `fixtures/`, and names and depth hold.
 */
export function checkArchitecture(tree: SourceTree): string[] {
  const problems = checkRooms(tree);
  for (const [file, text] of tree.files) {
    if (!file.endsWith('.ts')) continue;
    const tokens = readTokens(text);
    problems.push(...checkPlace(file));
    for (const load of findLoads(tokens)) problems.push(...checkLoad(tree, file, load));
    if (!isTestFile(file)) problems.push(...checkWords(file, tokens));
  }
  return problems;
}

function isTestFile(file: string): boolean {
  return (
    file.endsWith('.test.ts') || ['conformance.ts', 'chaos.ts'].includes(path.posix.basename(file)) || file.split('/').includes('fixtures')
  );
}

function checkRooms(tree: SourceTree): string[] {
  const problems: string[] = [];
  const folders = new Set([...tree.files.keys()].filter((file) => file.includes('/')).map((file) => file.split('/')[0]!));
  for (const folder of folders) {
    if (!Object.hasOwn(tree.rooms, folder)) {
      problems.push(
        `src/${folder}/ has no row in src/rooms.ts: only ${Object.keys(tree.rooms).join(', ')} have. Add a row or move the files.`,
      );
      continue;
    }
    const lines = tree.files.get(`${folder}/README.md`)?.trimEnd().split('\n').length;
    if (lines === undefined) problems.push(`src/${folder}/README.md is missing: every room says its purpose, words and invariants there.`);
    else if (lines > readmeLines) problems.push(`src/${folder}/README.md has ${lines} lines: at most ${readmeLines} are allowed.`);
  }
  for (const room of Object.keys(tree.rooms)) {
    if (!folders.has(room) && !tree.pendingRooms?.includes(room))
      problems.push(`Room "${room}" has a row in src/rooms.ts but no folder: remove the row or add src/${room}/.`);
  }
  return problems;
}

function checkPlace(file: string): string[] {
  const problems: string[] = [];
  const parts = file.split('/');
  const base = parts.at(-1)!;
  if (parts.length === 1 && file !== 'rooms.ts')
    problems.push(`src/${file} lies in no room: beside the rooms only src/rooms.ts is allowed.`);
  if (parts.length > 4 && !parts.includes('fixtures'))
    problems.push(`src/${file} lies too deep: a room has top-level files and at most two levels of private folders.`);
  if (!fileName.test(base)) problems.push(`src/${file} is not in kebab-case: name the file after its main export, such as open-queue.ts.`);
  for (const part of [...parts.slice(0, -1), base.replace(/(?:\.test)?\.ts$/, '')]) {
    if (forbiddenNames.has(part)) problems.push(`src/${file}: the name "${part}" says nothing. Name it after what it holds.`);
  }
  return problems;
}

function checkLoad(tree: SourceTree, file: string, load: Load): string[] {
  if (load.specifier === undefined) {
    return isTestFile(file)
      ? []
      : [`src/${file} loads a computed module name: only literal names are allowed, so that this check can see them.`];
  }
  if (load.specifier.startsWith('.')) return checkRelative(tree, file, load.specifier);
  if (/^(?:\/|file:|data:|https?:|#)/.test(load.specifier))
    return [`src/${file} imports ${load.specifier}: only relative files, Node built-ins and declared packages are allowed.`];
  return isTestFile(file) ? [] : checkModule(tree, file, load);
}

function checkRelative(tree: SourceTree, file: string, specifier: string): string[] {
  const target = path.posix.join(path.posix.dirname(file), specifier);
  const from = file.split('/')[0]!;
  const room = tree.rooms[from];
  if (target.startsWith('..')) {
    if (isTestFile(file) || (from === 'cli' && target === '../package.json')) return [];
    return [`src/${file} imports ${specifier}: source may import only source; tests may import test/, and cli package.json.`];
  }
  if (!isTestFile(file) && isTestFile(target)) return [`src/${file} imports ${target}: only tests may import a test file.`];
  const to = target.split('/')[0]!;
  if (to === from) return [];
  if (isTestFile(file) && target.split('/').includes('fixtures')) return [];
  if (target.split('/').length !== 2) {
    return [`src/${file} imports ${target}: the sub-folders of room "${to}" are private. Only its top-level files may be imported.`];
  }
  const allowed = room?.mayImport ?? [];
  if (isTestFile(file) || allowed.includes('*') || allowed.includes(to) || allowed.includes(target)) return [];
  return [`src/${file} imports ${target}: room "${from}" may import only ${allowed.length === 0 ? 'its own files' : allowed.join(', ')}.`];
}

/** Modules that are fine, but not like this. */
const spelling: ReadonlyMap<string, string> = new Map([
  ['zod', "import * as z from 'zod/mini' instead: the full zod slows every command's start."],
  ['node:process', 'process is global; only cli/wire.ts reads its environment.'],
]);
const slowFacades = new Set(['node:http', 'node:https', 'node:http2']);

function checkModule(tree: SourceTree, file: string, load: Load): string[] {
  const specifier = load.specifier!;
  const from = file.split('/')[0]!;
  const isBuiltin = specifier.startsWith('node:') || builtinModules.includes(specifier);
  const module = isBuiltin ? `node:${specifier.replace(/^node:/, '')}` : packageName(specifier);
  const problems: string[] = [];
  const better = spelling.get(specifier.startsWith('node:') ? specifier : isBuiltin ? module : specifier);
  if (better !== undefined) problems.push(`src/${file} imports ${specifier}: ${better}`);
  if (slowFacades.has(module) && load.isStatic && !load.isTypeOnly) {
    problems.push(
      `src/${file} imports ${specifier} at start: use process.getBuiltinModule('${module}') inside the function, its facade costs 35 ms.`,
    );
  }
  if (tree.guardedModules.includes(module) && !tree.rooms[from]?.mayLoad?.includes(module)) {
    const holders = Object.keys(tree.rooms).filter((name) => tree.rooms[name]?.mayLoad?.includes(module));
    const allowed = holders.length === 0 ? 'no room may' : `only ${holders.map((name) => `room "${name}"`).join(' and ')} may`;
    problems.push(`src/${file} loads ${module}: ${allowed}.`);
  }
  if (module === 'node:module' && !load.isTypeOnly && from !== 'cli')
    problems.push(`src/${file} loads node:module: it can load anything unseen, so only room "cli" may.`);
  if (!isBuiltin && !tree.packages.includes(module))
    problems.push(`src/${file} imports ${specifier}: only packages in "dependencies" are allowed: ${tree.packages.join(', ')}.`);
  return problems;
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function checkWords(file: string, tokens: readonly Token[]): string[] {
  const problems: string[] = [];
  if (file !== 'cli/wire.ts' && tokens.some((_, i) => readsEnvironment(tokens, i))) {
    problems.push(`src/${file} reads process.env: only cli/wire.ts may, everything else gets what it needs as an argument.`);
  }
  const isText = (token: Token): boolean => token.kind === 'string' || token.kind === 'template';
  if (!file.startsWith('state/') && tokens.some((token) => isText(token) && sql.test(token.text))) {
    problems.push(`src/${file} holds SQL: only room "state" may, others call its functions.`);
  }
  return problems;
}

/** `process.env`, `process['env']`, and any use of `process` as a whole value, through which it could be read. */
function readsEnvironment(tokens: readonly Token[], at: number): boolean {
  if (tokens[at]!.kind !== 'word' || tokens[at]!.text !== 'process') return false;
  const next = tokens[at + 1]?.text;
  if (next === '.') return tokens[at + 2]?.text === 'env';
  if (next === '[') return true;
  return tokens[at - 1]?.text === '=' && next !== '.';
}
