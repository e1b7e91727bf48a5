import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { serveHome } from './served.ts';
import { copyInstallation, filesBelow, newInstallation, type Installation } from './installation.ts';

const isRoot = process.getuid?.() === 0;
const canMount = isRoot && spawnSync('mount', ['--version']).status === 0;
const needsMount = canMount ? false : 'mounting a small disk needs root';

/** Puts the home on a disk of its own, of so many KiB. */
function onDisk(one: Installation, kib: number): Disposable {
  const saved = fs.mkdtempSync(path.join(one.root, 'saved-'));
  fs.cpSync(one.home, saved, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k,mode=700`, 'tmpfs', one.home], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  fs.cpSync(saved, one.home, { recursive: true });
  return { [Symbol.dispose]: () => void spawnSync('umount', ['-l', one.home]) };
}

/** Takes all room but so many bytes. */
function fill(one: Installation, leave: number): string {
  const { bavail, bsize } = fs.statfsSync(one.home);
  const file = path.join(one.home, 'filler');
  fs.writeFileSync(file, Buffer.alloc(Math.max(0, bavail * bsize - leave)));
  return file;
}

/** Takes all room, also what others give back meanwhile. */
function fillUp(one: Installation): string {
  const file = path.join(one.home, 'filler');
  for (const bytes of [65_536, 4096]) {
    try {
      for (;;) fs.appendFileSync(file, Buffer.alloc(bytes));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    }
  }
  return file;
}

test('a full disk ends a run with one sentence, and with room again everything acknowledged is there', { skip: needsMount }, async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'first' }, { text: 'x'.repeat(60_000) }, { text: 'after' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  using _disk = onDisk(one, 1024);
  const first = await one.cli(['ask', 'hello', '--json']);

  const filler = fill(one, 40 * 1024);
  const full = await one.cli(['ask', 'hello', '--json']);
  fs.rmSync(filler);
  const verified = await one.cli(['audit', 'verify', '--schema', '--json']);
  const resumed = await one.cli(['runs', 'resume', '--json']);
  const shown = await one.cli(['runs', 'show', first.json['run'], '--json']);

  assert.equal(first.code, 0, first.stdout);
  assert.equal(full.code, 1, full.stdout);
  assert.match(full.json['error'].message, /^\S[^\n]*\.$/);
  assert.doesNotMatch(full.stderr, /^\s+at /m);
  assert.equal(verified.code, 0, verified.stdout);
  assert.equal(shown.json['output'], 'first');
  assert.ok([0, 2].includes(resumed.code ?? -1), resumed.stdout);
  assert.equal((await one.cli(['ask', 'hello', '--json'])).code, 0);
});

test('a server whose disk was full works again with room, without a restart, and its ledger verifies', { skip: needsMount }, async () => {
  using one = newInstallation({ clawholdYaml: 'model: scripted/demo\nserve: { queue: { leaseSeconds: 3 } }\n' });
  using _disk = onDisk(one, 32 * 1024);
  await using server = await serveHome(one);
  const first = await server.reached(await server.post('hello'), 'done');

  const waiting = await Promise.all(Array.from({ length: 8 }, async () => await server.post('hello')));
  const filler = fillUp(one);
  const refused = [
    await server.ask('POST', '/api/v1/runs', { agent: 'main', input: 'hello' }),
    await server.ask('POST', '/api/v1/schedules', { id: 'daily', agent: 'main', message: 'x', when: { every: '1h' } }),
    await server.ask('POST', '/api/v1/tokens', { roles: ['viewer'], label: 'x'.repeat(200) }),
    await server.ask('POST', '/api/v1/runs', { agent: 'main', input: 'hello' }, { 'idempotency-key': 'k' }),
  ];
  const listed = await server.ask('GET', '/api/v1/runs');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  fs.rmSync(filler);
  const ends = await Promise.all(waiting.map(async (run) => await server.reached(run, 'done', 'failed')));
  const last = await server.reached(await server.post('hello'), 'done', 'failed');

  assert.equal(first['state'], 'done');
  for (const { status, json } of refused)
    assert.deepEqual([status, json.code, json.remedy], [503, 'gateway.no-room', 'retry'], JSON.stringify(json));
  assert.equal(listed.status, 200);
  assert.deepEqual(
    ends.map(({ state, reason }) => `${state} ${state === 'done' ? '' : reason}`.trim()),
    waiting.map(() => 'done'),
  );
  assert.equal(last['state'], 'done', last['reason']);
  server.child.kill('SIGTERM');
  await server.done;
  assert.equal((await one.cli(['audit', 'verify', '--schema', '--bundles'])).code, 0);
});

test('a read-only home says so in one sentence, and can still be looked at', { skip: needsMount }, async () => {
  await using server = await startOpenAiServer();
  using one = newInstallation({ openAi: server.baseUrl });
  await one.cli(['ask', 'hello']);
  using _disk = onDisk(one, 4096);
  assert.equal(spawnSync('mount', ['-o', 'remount,ro', one.home]).status, 0);

  const asked = await one.cli(['ask', 'hello', '--json']);
  const set = await one.cli(['config', 'set', 'limits.turns', '3', '--json']);
  const made = await one.cli(['agents', 'new', 'other', '--json']);
  const verified = await one.cli(['audit', 'verify']);
  const got = await one.cli(['config', 'get', 'model']);

  for (const { code, json, stderr } of [asked, set, made]) {
    assert.ok(code === 1 || code === 2, String(code));
    assert.match(json['error'].message, /^\S[^\n]*\.$/);
    assert.doesNotMatch(stderr, /^\s+at /m);
  }
  assert.deepEqual([verified.code, got.code], [0, 0]);
});

test('a ledger and a journal that a crash tore are recovered, and that is said', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'a slow answer', eventDelayMs: 3000 }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { child, done } = one.start(['ask', 'hello', '--json']);
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  await done;
  const journal = [...filesBelow(one.home).keys()].find((name) => name.endsWith('journal.jsonl')) ?? '';
  fs.appendFileSync(path.join(one.home, journal), '{"kind":"model.ans');
  fs.appendFileSync(path.join(one.home, 'tenants/default/ledger/s01/000001.jsonl'), '{"seq":');

  const shown = await one.cli(['runs', 'show', '--json']);
  const listed = await one.cli(['runs', 'list', '--state', 'interrupted', '--json']);
  const resumed = await one.cli(['runs', 'resume', '--json']);
  const recovered = await one.cli(['audit', 'query', '--type', 'ledger.recovered', '--json']);
  const verified = await one.cli(['audit', 'verify', '--schema']);

  assert.equal(shown.json['run'].state, 'interrupted');
  assert.equal(listed.json['runs'].length, 1);
  assert.equal(resumed.code, 0, resumed.stdout);
  assert.match(resumed.json['notices'].join(' '), /ended in a torn line of 18 bytes/);
  assert.match(recovered.stdout, /"droppedBytes":7/);
  assert.equal(verified.code, 0, verified.stdout);
});

test('a damaged journal and a missing pinned input are named, and nothing is done from them', async () => {
  await using server = await startOpenAiServer({ turns: [{ status: 401 }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { bundle } = (await one.cli(['ask', 'hello', '--json'])).json;
  const file = path.join(bundle, 'journal.jsonl');
  const whole = fs.readFileSync(file, 'utf8');

  fs.writeFileSync(file, whole.replace('{"kind":"prompt"', '{"kind":"promqt"'));
  const damaged = await one.cli(['runs', 'resume', '--json']);
  fs.writeFileSync(file, whole);
  fs.rmSync(path.join(one.home, 'tenants/default/objects'), { recursive: true });
  const missing = await one.cli(['runs', 'resume', '--json']);

  assert.deepEqual([damaged.code, damaged.json['error'].code, damaged.json['error'].remedy], [1, 'state.journal-damaged', 'ask-human']);
  assert.deepEqual([missing.code, missing.json['error'].remedy], [1, 'ask-human'], missing.stdout);
  assert.equal(server.requests.length, 1);
});

test('a home that is copied to another machine keeps its history readable', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'what was said' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { run } = (await one.cli(['ask', 'hello', '--json'])).json;
  using other = copyInstallation(one);
  fs.rmSync(path.join(other.root, 'user/config'), { recursive: true });

  const shown = await other.cli(['runs', 'show', run, '--json']);
  const replayed = await other.cli(['runs', 'replay', run, '--json']);
  const verified = await other.cli(['audit', 'verify', '--schema']);

  assert.equal(shown.json['output'], 'what was said');
  assert.equal(replayed.json['isIdentical'], true);
  assert.equal(verified.code, 0, verified.stdout);
});
