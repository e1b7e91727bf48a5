import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { scanSource, scanSources } from './sast.ts';

const planted: readonly (readonly [rule: string, source: string])[] = [
  ['child_process.exec', "import { exec } from 'node:child_process';"],
  ['child_process.exec', "import * as cp from 'node:child_process';\ncp.execSync('ls');"],
  ['child_process.exec', "const cp = process.getBuiltinModule('node:child_process');\ncp.exec('ls');"],
  ['child_process.exec', "const { exec } = await import('node:child_process');"],
  ['shell option', "import { spawn } from 'node:child_process';\nspawn('ls', [], { shell: true });"],
  ['shell option', "import { spawn } from 'node:child_process';\nspawn('ls', [], { shell: '/bin/sh' });"],
  ['eval', 'eval(text);'],
  ['new Function', 'new Function(text);'],
  ['node:vm', "import vm from 'node:vm';"],
  ['http without TLS', "fetch('http://example.org/');"],
  ['TLS without verification', 'connect({ rejectUnauthorized: false });'],
  ['listener on every interface', "server.listen(80, '0.0.0.0');"],
  ['listener', "const server = process.getBuiltinModule('node:http').createServer(answer);"],
  ['weak hash', "createHash('md5');"],
  ['Math.random', 'const id = Math.random();'],
];
for (const [i, [rule, source]] of planted.entries()) {
  test(`sabotage ${i + 1}: ${rule} is found`, () => {
    assert.ok(scanSource(source).some((breach) => breach.rule === rule));
  });
}

test('harmless look-alikes are left alone', () => {
  const source = [
    '/a/.exec(text);',
    'database.exec(statement);',
    "const local = 'http://127.0.0.1:8080/v1';",
    "// eval(x), fetch('http://example.org')",
    "const why = 'never eval(text)';",
    'const f: Function = g;',
  ];

  assert.deepEqual(scanSource(source.join('\n')), []);
});

test('a line that says why it is safe is left alone', () => {
  assert.deepEqual(scanSource("createHash('md5'); // sast-ok: an ETag, nothing trusts it"), []);
  assert.equal(scanSource("createHash('md5'); // sast-ok:").length, 1);
});

test('the sources break no rule, and none opens a listener beside the gateway', () => {
  const { files, breaches } = scanSources(path.join(import.meta.dirname, '..'));

  assert.deepEqual(breaches, []);
  assert.ok(files > 20);
});
