import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { scanText } from './secret-scan.ts';

/** Glued here, so that this file holds no key itself. */
const plantedKeys: Readonly<Record<string, string>> = {
  'private key': ['-----BEGIN', 'OPENSSH PRIVATE KEY-----'].join(' '),
  'OpenAI or Anthropic key': ['sk-', 'proj-Ab3dEf6hIj9kLm2nOp5q'].join(''),
  'GitHub token': ['ghp_', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join(''),
  'AWS access key': ['AKIA', 'IOSFODNN7ABCDEFG'].join(''),
  'Slack token': ['xoxb-', '123456789012-abcdefghijkl'].join(''),
  'password in a URL': ['postgres://admin:', 'hunter2hunter2', '@db.internal/x'].join(''),
  'assigned secret': ["const apiKey = '", 'q9Zt4LmX7vB2cR8yWk3n', "';"].join(''),
};

for (const [kind, key] of Object.entries(plantedKeys)) {
  test(`a planted ${kind} is found with file and line`, () => {
    assert.deepEqual(scanText('a.ts', `line one\n${key}\n`), [{ file: 'a.ts', line: 2, kind }]);
  });
}

test('a token of a shape that only the redactor knows is found', () => {
  const text = ['hf', 'AbCdEfGhIjKlMnOpQrStUvWxYz01234567'].join('_');

  assert.equal(scanText('a.ts', text).length, 1);
});

test('test data that says why it is no secret is left alone', () => {
  assert.deepEqual(scanText('a.ts', `${plantedKeys['AWS access key']} // not-a-secret: the documented example\n`), []);
});

test('names of variables, hashes and placeholders are no secrets', () => {
  const text = [
    "keyEnv: 'OPENAI_API_KEY_OF_THE_TEAM'",
    `sha256: '${'ab12'.repeat(16)}'`,
    "token: '<your token here, 40 letters long>'",
    'https://user@example.org/',
  ];

  assert.deepEqual(scanText('a.yaml', text.join('\n')), []);
});

test('the command fails on a repository with a planted key and passes without it', (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'secret-scan-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const scan = () => spawnSync(process.execPath, [path.join(import.meta.dirname, 'secret-scan.ts'), folder], { encoding: 'utf8' });
  execFileSync('git', ['init', '-q', folder]);
  writeFileSync(path.join(folder, 'clean.txt'), 'nothing here\n');

  const before = scan();
  writeFileSync(path.join(folder, 'notes.txt'), `key: ${plantedKeys['GitHub token']}\n`);
  const after = scan();

  assert.equal(before.status, 0, before.stderr);
  assert.equal(after.status, 1);
  assert.match(after.stderr, /^notes\.txt:1: looks like a GitHub token\./);
  assert.ok(!after.stderr.includes('ghp_'), 'the report itself must not repeat the key');
});
