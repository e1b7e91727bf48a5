import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { bundle } from './bundle.ts';

const projectModules = path.join(import.meta.dirname, '..', 'node_modules');

function scratch(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bundle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A program with a lazy part, an asset, a CommonJS package, ripgrep and the build id. */
function writeProgram(root: string): void {
  const files: Readonly<Record<string, string>> = {
    'package.json': '{"version":"1.2.3","type":"module"}',
    'src/cli/main.ts':
      "declare const CLAWHOLD_VERSION: string, CLAWHOLD_COMMIT: string;\nvoid import('../show/show.ts').then(async ({ show }) => {\n  console.log(`${CLAWHOLD_VERSION}+${CLAWHOLD_COMMIT}`);\n  console.log(await show());\n});\n",
    'src/show/show.ts':
      "import { readFileSync } from 'node:fs';\nimport path from 'node:path';\nimport { parse } from 'yaml';\nexport async function show(): Promise<string> {\n  const { rgPath } = await import('@vscode/ripgrep');\n  const { basename } = await import('node:path');\n  if (basename('a/b') !== 'b') throw new Error('a built-in that is loaded lazily is not there');\n  return `${parse(readFileSync(path.join(import.meta.dirname, 'words/hello.yaml'), 'utf8')).hello} ${rgPath}`;\n}\n",
    'src/show/words/hello.yaml': 'hello: world\n',
    'src/show/README.md': 'not shipped\n',
    'src/show/show.test.ts': 'not code\n',
  };
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  symlinkSync(projectModules, path.join(root, 'node_modules'));
}

function readAll(folder: string): Map<string, string> {
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return new Map(
    entries
      .filter((file) => statSync(path.join(folder, file)).isFile())
      .map((file) => [file, readFileSync(path.join(folder, file), 'latin1')]),
  );
}

test('a bundle runs away from node_modules with its assets, ripgrep and build id, and caches in the user folder', async (t) => {
  const root = scratch(t);
  writeProgram(root);
  await bundle({ root, outdir: path.join(root, 'dist'), version: '1.2.3', commit: 'abc' });
  const away = path.join(scratch(t), 'moved');
  cpSync(path.join(root, 'dist'), away, { recursive: true });
  const home = scratch(t);

  const ran = spawnSync(process.execPath, [path.join(away, 'clawhold.mjs')], { encoding: 'utf8', cwd: home, env: { HOME: home } });

  assert.equal(ran.stderr, '');
  const [id, shown] = ran.stdout.split('\n');
  assert.equal(id, '1.2.3+abc');
  assert.match(shown ?? '', new RegExp(`^world ${away}/bin/rg-`));
  assert.equal(spawnSync(shown!.slice('world '.length), ['--version']).status, 0);
  assert.ok(readdirSync(path.join(home, '.cache', 'clawhold', 'compiled')).length > 0);
});

test('a bundle has the programs of its threads beside it, none of a test, and the queue’s writer answers in it', async (t) => {
  const root = scratch(t);
  const source = path.join(import.meta.dirname, '..', 'src');
  writeProgram(root);
  for (const room of ['contracts', 'state']) cpSync(path.join(source, room), path.join(root, 'src', room), { recursive: true });
  writeFileSync(path.join(root, 'src', 'cli', 'main.ts'), queueProgram);
  await bundle({ root, outdir: path.join(root, 'dist'), version: '1.2.3', commit: 'abc' });
  const away = path.join(scratch(t), 'moved');
  cpSync(path.join(root, 'dist'), away, { recursive: true });
  const home = scratch(t);

  const ran = spawnSync(process.execPath, [path.join(away, 'clawhold.mjs')], { encoding: 'utf8', cwd: home, env: { HOME: home } });

  assert.equal(ran.stderr, '');
  assert.equal(ran.stdout, 'put true, leased once, in {"text":"work"}\n');
  assert.deepEqual(
    [...readAll(away).keys()].filter((file) => file.endsWith('-thread.cjs')),
    ['assets/state/queue/sqlite/writer-thread.cjs'],
  );
});

const queueProgram = `
import { systemClock } from '../contracts/clock.ts';
import { newTaskId } from '../contracts/ids.ts';
import { openQueue } from '../state/open-queue.ts';
async function main() {
  await using queue = await openQueue({ driver: 'sqlite', file: 'queue.db', clock: systemClock });
  const message = { tenant_id: 'default', swarm_id: 's', agent_type: 'agent', shard_id: 0, task_id: newTaskId(Date.now()), payload: { text: 'work' }, idempotency_key: 'k' };
  const [put] = await queue.put([{ message }]);
  const leases = await queue.lease({ worker: 'w', leaseMs: 1000, max: 5 });
  await queue.ack(leases[0]);
  console.log('put ' + put.isNew + ', leased ' + (leases.length === 1 ? 'once' : leases.length) + ', in ' + JSON.stringify(leases[0].message.payload));
}
void main();
`;

/** A built program, how it is run, and the file in which it keeps what was compiled for a verb. */
async function builtProgram(t: TestContext): Promise<{ dist: string; run(...args: string[]): string; codeOf(verb: string): string }> {
  const root = scratch(t);
  writeProgram(root);
  const dist = path.join(root, 'dist');
  await bundle({ root, outdir: dist, version: '1.2.3', commit: 'abc' });
  const folder = path.join(root, '.cache', 'clawhold', 'compiled');
  return {
    dist,
    run: (...args) =>
      spawnSync(process.execPath, [path.join(dist, 'clawhold.mjs'), ...args], { encoding: 'utf8', env: { HOME: root } }).stdout,
    codeOf: (verb) => {
      const found = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith(`.${verb}`)) : undefined;
      return found === undefined ? '' : path.join(folder, found);
    },
  };
}

/** How many runs added to what is kept. */
const runsIn = (file: string): number => readFileSync(file).readDoubleLE(8);

test('what a verb compiled is kept for it, mode 0600, by its first three runs', async (t) => {
  const { run, codeOf } = await builtProgram(t);

  const counts = [1, 2, 3, 4].map(() => (run('show'), runsIn(codeOf('show'))));

  assert.deepEqual(counts, [1, 2, 3, 3]);
  assert.equal(statSync(codeOf('show')).mode & 0o777, 0o600);
  assert.equal(codeOf('start'), '');
  run('--help');
  run();
  assert.ok(['help', 'start'].every((name) => codeOf(name) !== ''));
});

test('kept code that others could write, or that is a link, is not run', async (t) => {
  const { run, codeOf } = await builtProgram(t);
  run('show');
  chmodSync(codeOf('show'), 0o666);

  const said = run('show');

  assert.match(said, /^1\.2\.3\+abc\n/);
  assert.equal(runsIn(codeOf('show')), 1, 'it was made anew instead of continued');
  const kept = codeOf('show');
  cpSync(kept, `${kept}-moved`);
  rmSync(kept);
  symlinkSync(`${kept}-moved`, kept);
  run('show');
  assert.equal(runsIn(codeOf('show')), 1);
  assert.ok(!lstatSync(codeOf('show')).isSymbolicLink());
});

test('kept code of a program that was changed is not run, though the change has the same length', async (t) => {
  const { dist, run, codeOf } = await builtProgram(t);
  run('show');
  const main = path.join(dist, 'main.cjs');
  writeFileSync(main, readFileSync(main, 'utf8').replaceAll('1.2.3', '9.9.9'));
  utimesSync(main, 1, 1);

  assert.match(run('show'), /^9\.9\.9\+abc\n/);
  assert.equal(runsIn(codeOf('show')), 1);
});

test('torn or foreign bytes in place of kept code are passed over', async (t) => {
  const { run, codeOf } = await builtProgram(t);
  run('show');
  const whole = readFileSync(codeOf('show'));

  for (const bytes of [
    Buffer.alloc(0),
    whole.subarray(0, 10),
    whole.subarray(0, 1000),
    Buffer.concat([whole.subarray(0, 16), Buffer.alloc(5000, 7)]),
  ]) {
    writeFileSync(codeOf('show'), bytes);
    assert.match(run('show'), /^1\.2\.3\+abc\n/);
  }
});

test('a program whose user has no folder for it runs all the same', async (t) => {
  const { dist } = await builtProgram(t);

  for (const env of [{}, { HOME: '/proc/nowhere' }]) {
    const ran = spawnSync(process.execPath, [path.join(dist, 'clawhold.mjs')], { encoding: 'utf8', env });
    assert.deepEqual([ran.status, ran.stderr], [0, '']);
  }
});

test('two builds of the same sources in different folders are byte-identical', async (t) => {
  const roots = [scratch(t), scratch(t)];
  for (const root of roots) {
    writeProgram(root);
    await bundle({ root, outdir: path.join(root, 'dist'), version: '1.2.3', commit: 'abc' });
  }

  const [first, second] = roots.map((root) => readAll(path.join(root, 'dist')));

  assert.deepEqual([...second!.keys()], [...first!.keys()]);
  for (const [file, bytes] of first!) assert.ok(second!.get(file) === bytes, `${file} differs`);
  assert.ok(first!.has('LICENSES.txt') && first!.get('LICENSES.txt')!.includes('== yaml'));
});

test('only assets are copied: no sources, tests or room READMEs', async (t) => {
  const root = scratch(t);
  writeProgram(root);

  await bundle({ root, outdir: path.join(root, 'dist'), version: '1.2.3', commit: 'abc' });

  assert.deepEqual([...readAll(path.join(root, 'dist', 'assets')).keys()], ['show/words/hello.yaml']);
});

test('a source finds its asset by import.meta.url too', async (t) => {
  const root = scratch(t);
  writeProgram(root);
  writeFileSync(
    path.join(root, 'src/show/show.ts'),
    "import { readFileSync } from 'node:fs';\nexport const show = () => readFileSync(new URL('words/hello.yaml', import.meta.url), 'utf8');\n",
  );
  await bundle({ root, outdir: path.join(root, 'dist'), version: '1', commit: 'x' });

  const ran = spawnSync(process.execPath, [path.join(root, 'dist', 'clawhold.mjs')], { encoding: 'utf8', env: {} });

  assert.equal(ran.stdout, '1+x\nhello: world\n\n');
});

test('an assertion that holds loads no module, and one that fails says what it says elsewhere', async (t) => {
  const root = scratch(t);
  writeProgram(root);
  writeFileSync(
    path.join(root, 'src/show/show.ts'),
    `import assert from 'node:assert/strict';
export const show = () => {
  assert(1, 'holds');
  assert.ok('yes');
  const before = process.moduleLoadList.includes('NativeModule assert');
  const said = [() => assert(0, 'first'), () => assert.ok('', 'second'), () => assert.equal(1, 2, 'third')].map((fails) => {
    try {
      return fails();
    } catch (error) {
      return error.code + ' ' + error.message;
    }
  });
  return [before, ...said].join();
};
`,
  );
  await bundle({ root, outdir: path.join(root, 'dist'), version: '1', commit: 'x' });

  const ran = spawnSync(process.execPath, [path.join(root, 'dist', 'clawhold.mjs')], { encoding: 'utf8', env: {} });

  assert.match(ran.stdout, /^1\+x\nfalse,ERR_ASSERTION first,ERR_ASSERTION second,ERR_ASSERTION third\n/, ran.stderr);
});

test('the program carries no languages of zod: they come with all of it and cost every command 10 ms', async (t) => {
  const outdir = path.join(scratch(t), 'dist');

  await bundle({ root: path.join(import.meta.dirname, '..'), outdir, version: '1', commit: 'x' });

  assert.ok(!readFileSync(path.join(outdir, 'main.cjs'), 'utf8').includes('zod/v4/locales/fr.js'));
});

test('packages that few commands use are files of their own, and work away from node_modules', async (t) => {
  const root = scratch(t);
  writeProgram(root);
  writeFileSync(
    path.join(root, 'src/show/show.ts'),
    "import { Cron } from 'croner';\nexport async function show() {\n  const [{ fastify }, { createTwoFilesPatch }, { Parser }, { pino }, { Registry }] = await Promise.all([import('fastify'), import('diff'), import('htmlparser2'), import('pino'), import('prom-client')]);\n  const app = fastify();\n  app.get('/', async () => 'served');\n  const { payload } = await app.inject('/');\n  return [payload, createTwoFilesPatch('a', 'b', '1', '2').length > 0, typeof Parser, typeof pino, typeof Registry, typeof Cron].join();\n}\n",
  );
  await bundle({ root, outdir: path.join(root, 'dist'), version: '1', commit: 'x' });
  const away = path.join(scratch(t), 'moved');
  cpSync(path.join(root, 'dist'), away, { recursive: true });

  const ran = spawnSync(process.execPath, [path.join(away, 'clawhold.mjs')], { encoding: 'utf8', env: {} });

  assert.equal(ran.stdout, '1+x\nserved,true,function,function,function,function\n', ran.stderr);
  assert.deepEqual(
    readdirSync(path.join(away, 'parts')).toSorted(),
    ['diff', 'html', 'log', 'metrics', 'schedules', 'server'].map((name) => `${name}.cjs`),
  );
  assert.ok(statSync(path.join(away, 'main.cjs')).size < 100_000);
  assert.ok(readFileSync(path.join(away, 'LICENSES.txt'), 'utf8').includes('== fastify'));
});

/** What a program of two modules prints when it is bundled. */
async function printed(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = scratch(t);
  writeProgram(root);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  await bundle({ root, outdir: path.join(root, 'dist'), version: '1.2.3', commit: 'abc' });
  const ran = spawnSync(process.execPath, [path.join(root, 'dist', 'clawhold.mjs')], { encoding: 'utf8', env: { HOME: root } });
  return ran.stdout + ran.stderr;
}

test('a bundled program has its built-ins however it imports them, and loads none that it does not use', async (t) => {
  const text = await printed(t, {
    'src/cli/main.ts': `
import assert from 'node:assert/strict';
import fs, { existsSync } from 'node:fs';
import * as all from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import os from 'node:os';
import { randomBytes } from 'node:crypto';
async function main() {
  const before = process.moduleLoadList.filter((name) => / (crypto|internal.fs.promises|assert|timers.promises)$/.test(name));
  assert(true);
  assert.ok(1);
  assert.equal(Number.NaN, Number.NaN);
  console.log(JSON.stringify([before, fs.existsSync('/'), existsSync('/'), all.join('a', 'b'), all.default.sep, typeof os.tmpdir()]));
  console.log(randomBytes(3).length, await sleep(1, 'slept'), typeof (await import('node:fs/promises')).readFile, typeof fs.promises.readFile);
  for (const check of [() => assert.equal(1, '1' as never), () => assert.equal(1 as never), () => assert(0), () => assert.deepEqual({ a: 1 }, { a: 2 })])
    try { check(); console.log('held'); } catch (error) { console.log((error as Error).name, (error as { code: string }).code); }
}
void main();
`,
  });

  assert.deepEqual(text.trim().split('\n'), [
    '[[],true,true,"a/b","/","string"]',
    '3 slept function function',
    'AssertionError ERR_ASSERTION',
    'TypeError ERR_MISSING_ARGS',
    'AssertionError ERR_ASSERTION',
    'AssertionError ERR_ASSERTION',
  ]);
});

test('modules that several commands import are run once, when the first of them is used', async (t) => {
  const text = await printed(t, {
    'src/cli/main.ts':
      "console.log('start');\nvoid (async () => {\n  const [one, two] = [await import('../show/one.ts'), await import('../show/two.ts')];\n  console.log(one.same === two.same, one.default);\n})();\n",
    'src/show/one.ts': "export { same } from './both.ts';\nexport default class One {}\nconsole.log('one');\n",
    'src/show/two.ts': "import { same as mine } from './both.ts';\nexport const same = mine;\nconsole.log('two');\n",
    'src/show/both.ts': "export const same = { a: 1 };\nconsole.log('both');\n",
  });

  assert.deepEqual(text.trim().split('\n'), ['start', 'both', 'one', 'two', 'true [class One]']);
});

test('a module that exports a variable is refused, because a bundle would keep its first value', async (t) => {
  for (const text of [
    'export let count = 0;\n',
    'let count = 0;\nexport {\n  count,\n};\n',
    'var count = 0;\nexport { count as other };\n',
  ]) {
    const files = { 'src/cli/main.ts': "import * as it from '../show/count.ts';\nconsole.log(it);\n", 'src/show/count.ts': text };

    await assert.rejects(printed(t, files), /src\/show\/count\.ts exports a variable/);
  }
  assert.match(
    await printed(t, { 'src/cli/main.ts': 'let count = 0;\nexport const tell = () => count;\nconsole.log(tell());\n' }),
    /^0\n$/,
  );
});

test('a package that is seldom needed is run when something is first taken from it', async (t) => {
  const text = await printed(t, {
    'src/cli/main.ts': `
import { isMap, LineCounter, parse } from 'yaml';
async function main() {
  const loaded = () => process.moduleLoadList.includes('NativeModule process');
  console.log(loaded(), typeof main);
  console.log(parse('a: 1').a, new LineCounter() instanceof LineCounter, isMap(1), loaded());
  const { stringify, default: all } = await import('yaml');
  console.log(stringify({ b: 2 }).trim(), all.parse('c: 3').c);
}
void main();
`,
  });

  assert.equal(text, 'false function\n1 true false true\nb: 2 3\n');
});
