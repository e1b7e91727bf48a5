import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { guardedModules, rooms } from '../src/rooms.ts';
import { checkArchitecture, type SourceTree } from './architecture/check-architecture.ts';

const root = path.join(import.meta.dirname, '..');

function readTree(): SourceTree {
  const files = new Map<string, string>();
  for (const entry of readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    files.set(path.relative(path.join(root, 'src'), file).split(path.sep).join('/'), readFileSync(file, 'utf8'));
  }
  const manifest: { dependencies: Record<string, string> } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return { rooms, guardedModules, packages: Object.keys(manifest.dependencies), files };
}

/** A small sound tree; each sabotage case adds or replaces files. */
function problemsOf(files: Readonly<Record<string, string>>, change: Partial<SourceTree> = {}): string[] {
  return checkArchitecture({
    rooms: {
      contracts: { purpose: 'Words.', mayImport: [] },
      state: { purpose: 'Keeps.', mayImport: ['contracts'], mayLoad: ['node:sqlite'] },
      agent: { purpose: 'Runs.', mayImport: ['contracts', 'models/client.ts'] },
      models: { purpose: 'Calls.', mayImport: ['contracts'] },
      cli: { purpose: 'Door.', mayImport: ['*'] },
    },
    guardedModules: ['node:sqlite', 'node:child_process', 'undici'],
    packages: ['zod', 'undici'],
    files: new Map(
      Object.entries({
        'contracts/README.md': '# contracts\n',
        'contracts/ids.ts': "import * as z from 'zod/mini';\nexport const id = z.string();\n",
        'state/README.md': '# state\n',
        'state/queue.ts': "import { id } from '../contracts/ids.ts';\nexport const q = id;\n",
        'state/queue/sqlite.ts': "import { DatabaseSync } from 'node:sqlite';\nexport const s = 'SELECT a FROM b';\n",
        'agent/README.md': '# agent\n',
        'agent/run.ts': "import { c } from '../models/client.ts';\nexport const run = c;\n",
        'models/README.md': '# models\n',
        'models/client.ts': 'export const c = 1;\n',
        'cli/README.md': '# cli\n',
        'cli/wire.ts': "import { run } from '../agent/run.ts';\nexport const home = process.env['HOME'];\n",
        ...files,
      }),
    ),
    ...change,
  });
}

test('the source keeps to the room table and the layout rules', () => {
  assert.deepEqual(checkArchitecture(readTree()), []);
});

test('the small tree that the sabotage cases break is sound by itself', () => {
  assert.deepEqual(problemsOf({}), []);
});

const againstTable = 'src/state/queue.ts imports agent/run.ts: room "state" may import only contracts.';
const imports: readonly (readonly [name: string, source: string, problem: string])[] = [
  ['a static import', "import { run } from '../agent/run.ts';", againstTable],
  ['a default and named import', "import a, { type B } from '../agent/run.ts';", againstTable],
  ['an import for its side effect', "import '../agent/run.ts';", againstTable],
  ['an import over several lines with comments', "import {\n  run, // from 'x'\n} /* y */ from\n '../agent/run.ts';", againstTable],
  ['a type import', "import type { Run } from '../agent/run.ts';", againstTable],
  ['a type query import', "export type R = import('../agent/run.ts').Run;", againstTable],
  ['a dynamic import', "export async function f() { return await import('../agent/run.ts'); }", againstTable],
  ['a dynamic import by template', 'export const f = () => import(`../agent/run.ts`);', againstTable],
  ['an import inside a template expression', "export const f = () => `${import('../agent/run.ts')}`;", againstTable],
  ['an import after a regular expression with a quote', "const r = /'/; export const f = () => import('../agent/run.ts');", againstTable],
  ['a star re-export', "export * from '../agent/run.ts';", againstTable],
  ['a named re-export', "export { run } from '../agent/run.ts';", againstTable],
  ['a type re-export', "export type { Run } from '../agent/run.ts';", againstTable],
  ['a second import after an export', "export { a };\nimport { run } from '../agent/run.ts';", againstTable],
  ['an escaped specifier', "import { run } from '../a\\x67ent/run.ts';", againstTable],
];
for (const [name, source, problem] of imports) {
  test(`sabotage: ${name} against the direction is refused with what is allowed`, () => {
    assert.deepEqual(problemsOf({ 'state/queue.ts': `${source}\n` }), [problem]);
  });
}

const guarded = 'src/agent/run.ts loads node:child_process: no room may.';
const sqlite = 'src/agent/run.ts loads node:sqlite: only room "state" may.';
const modules: readonly (readonly [name: string, source: string, problems: readonly string[]])[] = [
  ['a guarded built-in', "import { spawn } from 'node:child_process';", [guarded]],
  ['a guarded built-in without its prefix', "import { spawn } from 'child_process';", [guarded]],
  ['a guarded built-in as a type', "import type { ChildProcess } from 'node:child_process';", [guarded]],
  ['a guarded built-in through getBuiltinModule', "const p = process.getBuiltinModule('node:sqlite');", [sqlite]],
  [
    'a guarded built-in through optional getBuiltinModule',
    "const p = process?.getBuiltinModule?.('node:sqlite');",
    ['src/agent/run.ts loads node:sqlite: only room "state" may.'],
  ],
  ['a guarded built-in through require', "const p = require('node:sqlite');", [sqlite]],
  ['a guarded package by a deep path', "import x from 'undici/lib/client.js';", ['src/agent/run.ts loads undici: no room may.']],
  [
    'node:module',
    "import { createRequire } from 'node:module';",
    ['src/agent/run.ts loads node:module: it can load anything unseen, so only room "cli" may.'],
  ],
  [
    'getBuiltinModule under another name',
    "const load = process.getBuiltinModule; load('node:sqlite');",
    ['src/agent/run.ts loads a computed module name: only literal names are allowed, so that this check can see them.'],
  ],
  [
    'a computed import',
    'const f = (n: string) => import(n);',
    ['src/agent/run.ts loads a computed module name: only literal names are allowed, so that this check can see them.'],
  ],
  [
    'a glued import',
    "const f = () => import('node:' + 'sqlite');",
    ['src/agent/run.ts loads a computed module name: only literal names are allowed, so that this check can see them.'],
  ],
  [
    'a data: module',
    "import x from 'data:text/javascript,1';",
    ['src/agent/run.ts imports data:text/javascript,1: only relative files, Node built-ins and declared packages are allowed.'],
  ],
  [
    'an undeclared package',
    "import x from 'left-pad';",
    ['src/agent/run.ts imports left-pad: only packages in "dependencies" are allowed: zod, undici.'],
  ],
  [
    'the full zod',
    "import * as z from 'zod';",
    ["src/agent/run.ts imports zod: import * as z from 'zod/mini' instead: the full zod slows every command's start."],
  ],
  [
    'the slow facade of node:http',
    "import http from 'node:http';",
    ["src/agent/run.ts imports node:http at start: use process.getBuiltinModule('node:http') inside the function, its facade costs 35 ms."],
  ],
  [
    "another room's private folder",
    "import { s } from '../state/queue/sqlite.ts';",
    [
      'src/agent/run.ts imports state/queue/sqlite.ts: the sub-folders of room "state" are private. Only its top-level files may be imported.',
    ],
  ],
  [
    'a file of a room of which another file is allowed',
    "import { c } from '../models/price.ts';",
    ['src/agent/run.ts imports models/price.ts: room "agent" may import only contracts, models/client.ts.'],
  ],
  [
    'a file outside src',
    "import { x } from '../../test/x.ts';",
    ['src/agent/run.ts imports ../../test/x.ts: source may import only source; tests may import test/, and cli package.json.'],
  ],
  ['a test file', "import { x } from './run.test.ts';", ['src/agent/run.ts imports agent/run.test.ts: only tests may import a test file.']],
  [
    'process.env',
    "export const k = process.env['KEY'];",
    ['src/agent/run.ts reads process.env: only cli/wire.ts may, everything else gets what it needs as an argument.'],
  ],
  [
    'process.env by index',
    "export const k = process['env'];",
    ['src/agent/run.ts reads process.env: only cli/wire.ts may, everything else gets what it needs as an argument.'],
  ],
  [
    'process.env by destructuring',
    'const { env } = process;',
    ['src/agent/run.ts reads process.env: only cli/wire.ts may, everything else gets what it needs as an argument.'],
  ],
  ['SQL', "export const q = 'SELECT id FROM runs';", ['src/agent/run.ts holds SQL: only room "state" may, others call its functions.']],
  [
    'SQL in a template',
    'export const q = (t: string) => `\n  DELETE FROM ${t}`;',
    ['src/agent/run.ts holds SQL: only room "state" may, others call its functions.'],
  ],
];
for (const [name, source, problems] of modules) {
  test(`sabotage: ${name} is refused where it is not allowed`, () => {
    assert.deepEqual(problemsOf({ 'agent/run.ts': `${source}\n` }), problems);
  });
}

test("even the room that may import everything may not reach into another's private folder", () => {
  assert.deepEqual(problemsOf({ 'cli/main.ts': "import '../state/queue/sqlite.ts';\n" }), [
    'src/cli/main.ts imports state/queue/sqlite.ts: the sub-folders of room "state" are private. Only its top-level files may be imported.',
  ]);
});

const places: readonly (readonly [name: string, files: Readonly<Record<string, string>>, problems: readonly string[]])[] = [
  [
    'a folder without a row',
    { 'magic/README.md': '# m\n' },
    ['src/magic/ has no row in src/rooms.ts: only contracts, state, agent, models, cli have. Add a row or move the files.'],
  ],
  ['a README over its length', { 'state/README.md': 'a\n'.repeat(31) }, ['src/state/README.md has 31 lines: at most 30 are allowed.']],
  ['a file beside the rooms', { 'main.ts': '' }, ['src/main.ts lies in no room: beside the rooms only src/rooms.ts is allowed.']],
  [
    'a file too deep',
    { 'state/queue/sql/lite/open.ts': '' },
    ['src/state/queue/sql/lite/open.ts lies too deep: a room has top-level files and at most two levels of private folders.'],
  ],
  [
    'a file not in kebab-case',
    { 'state/openQueue.ts': '' },
    ['src/state/openQueue.ts is not in kebab-case: name the file after its main export, such as open-queue.ts.'],
  ],
  ['utils.ts', { 'state/utils.ts': '' }, ['src/state/utils.ts: the name "utils" says nothing. Name it after what it holds.']],
  [
    'a helpers folder',
    { 'state/helpers/a.ts': '' },
    ['src/state/helpers/a.ts: the name "helpers" says nothing. Name it after what it holds.'],
  ],
  ['a barrel', { 'state/index.ts': '' }, ['src/state/index.ts: the name "index" says nothing. Name it after what it holds.']],
  ['types.ts', { 'state/types.ts': '' }, ['src/state/types.ts: the name "types" says nothing. Name it after what it holds.']],
];
for (const [name, files, problems] of places) {
  test(`sabotage: ${name} is refused`, () => {
    assert.deepEqual(problemsOf(files), problems);
  });
}

test('sabotage: a room without a README is refused', () => {
  const problems = problemsOf({}, { files: new Map([['contracts/ids.ts', '']]), pendingRooms: ['state', 'agent', 'models', 'cli'] });

  assert.deepEqual(problems, ['src/contracts/README.md is missing: every room says its purpose, words and invariants there.']);
});

test('sabotage: a row without a folder is refused', () => {
  const problems = problemsOf({}, { rooms: { ...rooms }, guardedModules: [], pendingRooms: [] });

  assert.ok(problems.includes('Room "governance" has a row in src/rooms.ts but no folder: remove the row or add src/governance/.'));
});

test('what only looks like an import or like SQL is left alone', () => {
  const source = [
    "// import { run } from '../agent/run.ts';",
    "/* export * from '../agent/run.ts'; */",
    `export const text = "import { run } from '../agent/run.ts'";`,
    "export const line = `require('node:child_process')`;",
    'export const here = import.meta.dirname;',
    'export const half = 6 / 2 / 3;',
    "export const help = 'select a model from the list, or update it';",
    'export const at = process.cwd();',
    'export { text as import };',
    "export const obj = { import: 'x', from: '../agent/run.ts' };",
  ];

  assert.deepEqual(problemsOf({ 'models/client.ts': `${source.join('\n')}\nexport const c = 1;\n` }), []);
});

test('a test file may use any public face, guarded modules and SQL, but no private folder', () => {
  const open =
    "import '../agent/run.ts';\nimport 'node:child_process';\nimport 'fast-check';\nimport '../../test/x.ts';\nconst q = 'SELECT a FROM b';\n";

  assert.deepEqual(problemsOf({ 'models/client.test.ts': open }), []);
  assert.deepEqual(problemsOf({ 'models/client.test.ts': "import '../state/fixtures/rows.ts';\n" }), []);
  assert.equal(problemsOf({ 'models/client.ts': "import '../state/fixtures/rows.ts';\n" }).length, 1);
  assert.deepEqual(problemsOf({ 'models/client.test.ts': "import '../state/queue/sqlite.ts';\n" }), [
    'src/models/client.test.ts imports state/queue/sqlite.ts: the sub-folders of room "state" are private. Only its top-level files may be imported.',
  ]);
});
