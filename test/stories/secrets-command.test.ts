import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const main = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const value = 'correct-horse-battery-7-staple'; // not-a-secret: made up

test('a kept secret is masked in every answer, and hidden where an agent reads it', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-secrets-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env['PATH'], HOME: dir, CLAWHOLD_CONFIG_HOME: path.join(dir, 'user') };
  const run = (args: readonly string[], input = ''): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, ...args], { cwd: dir, env, input, encoding: 'utf8' });
  run(['init']);

  const kept = run(['secrets', 'set', 'API_KEY', '--host', 'api.example.org', '--header', 'X-Api-Key'], `${value}\n`);
  const listed = run(['secrets', 'list', '--json']);
  fs.writeFileSync(path.join(dir, 'workspace', 'note.txt'), `the key is ${value}\n`);
  const read = run(['tools', 'call', 'fs.read', '--args', '{"path":"note.txt"}']);

  assert.equal(kept.status, 0, kept.stderr);
  assert.deepEqual(JSON.parse(listed.stdout).secrets[0].hosts, ['api.example.org:443']);
  assert.match(read.stdout, /the key is \[redacted:API_KEY\]/);
  for (const { stdout, stderr } of [kept, listed, read]) assert.doesNotMatch(stdout + stderr, /battery/);
  assert.equal(fs.statSync(path.join(dir, 'user', 'secrets', 'default', 'API_KEY')).mode & 0o777, 0o600);
});

test('which tells every place where a value is looked for, and why the keychain was left out', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-secrets-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env['PATH'], HOME: dir, CLAWHOLD_CONFIG_HOME: path.join(dir, 'user') };
  const run = (args: readonly string[], input = ''): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, ...args], { cwd: dir, env, input, encoding: 'utf8' });
  run(['init']);
  run(['secrets', 'set', 'API_KEY', '--host', 'api.example.org'], `${value}\n`);

  const lookups = JSON.parse(run(['secrets', 'which', 'API_KEY', '--json']).stdout).lookups as {
    source: string;
    found: boolean;
    note?: string;
  }[];

  assert.deepEqual(
    lookups.map(({ found }) => found),
    [false, false, true],
  );
  if (process.platform === 'linux') assert.match(lookups[1]?.note ?? '', /^skipped: this process has no session bus/);
});

test('a secret without a host, with a bad value or with an unknown name is refused in one sentence with exit 2', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-secrets-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env['PATH'], HOME: dir, CLAWHOLD_CONFIG_HOME: path.join(dir, 'user') };
  const refuse = (args: readonly string[], input: string): void => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'secrets', ...args], { cwd: dir, env, input, encoding: 'utf8' });
    assert.equal(status, 2, stdout + stderr);
    assert.doesNotMatch(stdout + stderr, /battery|\n\s+at /);
  };

  refuse(['set', 'API_KEY'], value);
  refuse(['set', 'API_KEY', '--host', 'api.example.org'], `${value}\nsecond line ${value}`);
  refuse(['set', 'api key', '--host', 'api.example.org'], value);
  refuse(['set', 'API_KEY', '--host', '127.0.0.1'], value);
  refuse(['set', 'API_KEY', '--host', 'api.example.org', '--query', 'nothing'], value);
  refuse(['rotate', 'API_KEY'], value);
  refuse(['remove', 'API_KEY'], '');
});
