import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import vm from 'node:vm';
import { build, transform } from 'esbuild';
import { oneFile, type Outputs } from './one-file.ts';

/** Two parts that are loaded late and share a third, a built-in, and a CommonJS module. */
const program: Readonly<Record<string, string>> = {
  'main.ts':
    "globalThis.told = [];\nvoid (async () => {\n  const [{ left }, { right }] = [await import('./left.ts'), await import('./right.ts')];\n  globalThis.told.push(left(), right());\n})();\n",
  'left.ts':
    "import { shared } from './shared.ts';\nimport old from './old.cjs';\nexport const left = (): string => `left ${shared()} ${old.word}`;\n",
  'right.ts': "import { shared } from './shared.ts';\nexport function right(): string {\n  return `right ${shared()}`;\n}\n",
  'shared.ts':
    "import { basename } from 'node:path';\nlet count = 0;\nexport function shared(): string {\n  count += 1;\n  return basename(`a/b${count}`);\n}\n",
  'old.cjs': "module.exports = { word: 'old' };\n",
};

interface Built {
  readonly root: string;
  readonly outputs: Outputs;
}

async function buildProgram(t: TestContext, change: Readonly<Record<string, string>> = {}): Promise<Built> {
  const root = mkdtempSync(path.join(os.tmpdir(), 'one-file-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries({ ...program, ...change })) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  const outputs = await build({
    absWorkingDir: root,
    outdir: path.join(root, 'out'),
    entryPoints: { main: 'main.ts' },
    bundle: true,
    format: 'esm',
    splitting: true,
    platform: 'node',
    target: 'node24',
    minifySyntax: true,
    minifyWhitespace: true,
    chunkNames: '[name]-[hash]',
    metafile: true,
    write: false,
  });
  return { root, outputs };
}

async function link({ root, outputs }: Built): Promise<string> {
  return await oneFile(outputs, { root, entry: 'main' });
}

/** The same with the text of one chunk changed. */
function withText({ root, outputs }: Built, name: RegExp, change: (text: string) => string): Built {
  const found = outputs.outputFiles.filter(({ path: file }) => name.test(path.basename(file)));
  assert.equal(found.length, 1);
  const outputFiles = outputs.outputFiles.map((file) => (file === found[0] ? { path: file.path, text: change(file.text) } : file));
  return { root, outputs: { ...outputs, outputFiles } };
}

/** The same with these imports between chunks, each by the beginning of its name. */
function withImports(
  { root, outputs }: Built,
  imports: readonly (readonly [from: string, to: string])[],
  kind = 'import-statement',
): Built {
  const all = structuredClone(outputs.metafile);
  const named = (start: string): string =>
    Object.keys(all.outputs).find((file) => path.basename(file).startsWith(start)) ?? assert.fail(start);
  for (const [from, to] of imports) all.outputs[named(from)]!.imports.push({ path: named(to), kind: kind as 'import-statement' });
  return { root, outputs: { ...outputs, metafile: all } };
}

test('chunks become one script in which each runs once, when it is first imported', async (t) => {
  const code = await link(await buildProgram(t));

  const world: { told?: readonly string[] } = {};
  vm.runInNewContext(code, Object.assign(world, { require: createRequire(import.meta.url) }));
  await new Promise((resolve) => setImmediate(resolve));

  assert.deepEqual([...(world.told ?? [])], ['left b1 old', 'right b2']);
  assert.doesNotMatch(code, /require\("\.\//);
});

test('sabotage: chunks that import each other, two or all around, are refused by name', async (t) => {
  const built = await buildProgram(t);

  await assert.rejects(
    link(
      withImports(built, [
        ['left', 'right'],
        ['right', 'left'],
      ]),
    ),
    /^Error: These chunks import each other: .*left-\w+\.js.*right-\w+\.js/,
  );
  await assert.rejects(
    link(
      withImports(built, [
        ['main', 'left'],
        ['left', 'right'],
        ['right', 'main'],
      ]),
    ),
    /^Error: These chunks import each other: .*main\.js/,
  );
  await assert.rejects(link(withImports(built, [['left', 'left']])), /^Error: These chunks import each other: [^,]*left-\w+\.js\.$/);
});

test('chunks that import each other only late are none that wait for each other', async (t) => {
  const late = withImports(
    await buildProgram(t),
    [
      ['left', 'right'],
      ['right', 'left'],
    ],
    'dynamic-import',
  );

  assert.match(await link(late), /^"use strict";/);
});

const strange: Readonly<Record<string, (text: string) => string>> = {
  'code behind its exports': (text) => `${text.trimEnd()}console.log(1);`,
  'a second list of exports': (text) => `export{a};${text}`,
  'an export by name': (text) => `export const more=1;${text}`,
  'an export of everything': (text) => `var a=1;export*from"./other.js";${text}`,
  'an import behind code': (text) => `console.log(1);import{a}from"./other.js";${text}`,
  'an import for its effects behind code': (text) => `console.log(1);import"./other.js";${text}`,
  'an import of a namespace': (text) => `import*as all from"./other.js";${text}`,
  'an import of a default': (text) => `import one from"./other.js";${text}`,
};
for (const [what, change] of Object.entries(strange)) {
  test(`sabotage: a chunk with ${what} is refused`, async (t) => {
    const built = await buildProgram(t);

    await assert.rejects(link(withText(built, /^right/, change)), /right-\w+\.js imports or exports something in its middle/);
  });
}

test('sabotage: a chunk that asks for another one as a file is refused', async (t) => {
  const built = await buildProgram(t);

  await assert.rejects(
    link(withText(built, /^right/, (text) => text.replace('function right', 'var a=require("./left-ABC.js");function right'))),
    /right-\w+\.js asks for another one/,
  );
});

const variables: Readonly<Record<string, string>> = {
  'a let': 'export let right = () => 1;\n',
  'a var': 'export var right = () => 1;\n',
  'a let with a name that begins with a dollar': "import './main.ts';\nexport let $a = 1;\nexport const right = () => $a;\n",
  'parts of an object': 'export let { right } = { right: () => 1 };\n',
  'a let by a list': 'let right = () => 1;\nexport { right };\n',
  'a let by another name': 'let inner = () => 1;\nexport { inner as right };\n',
  'a var by a list of several': 'const a = 1;\nvar right = () => a;\nexport { a, right };\n',
};
for (const [what, text] of Object.entries(variables)) {
  test(`sabotage: a module that exports ${what} is refused, since a bundle keeps its first value`, async (t) => {
    const built = await buildProgram(t, { 'right.ts': text });

    await assert.rejects(link(built), /^Error: right\.ts exports a variable/);
  });
}

test('what no module can assign is no variable, whatever stands beside it', async (t) => {
  const right =
    "let a = 1;\nexport type { Stats } from 'node:fs';\nexport { left } from './left.ts';\nconst b = (): number => (a += 1);\nexport { b as right };\n";

  assert.match(await link(await buildProgram(t, { 'right.ts': right })), /^"use strict";/);
});

test('sabotage: helpers of esbuild that stand elsewhere, or are none, are refused instead of copied into each chunk', async (t) => {
  const { root, outputs } = await buildProgram(t);
  const renamed = async (code: string, options: object): Promise<{ readonly code: string }> => {
    const done = await transform(code, options);
    return { code: done.code.replaceAll('import_node_x', 'imported') };
  };
  const none = async (code: string, options: object): Promise<{ readonly code: string }> => {
    const done = await transform(code, options);
    return { code: done.code.replace(/^.*(?=var import_node_x)/s, '"use strict";') };
  };

  for (const given of [renamed, none])
    await assert.rejects(oneFile(outputs, { root, entry: 'main', transform: given }), /esbuild writes its helpers otherwise/);
});
