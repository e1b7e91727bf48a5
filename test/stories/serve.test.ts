import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation } from './installation.ts';
import { serveHome } from './served.ts';

test('a message over HTTP becomes a run with output and record, and SIGTERM ends the server cleanly', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'hello to you' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using served = await serveHome(one);

  const run = await served.post('hello');
  const ended = await served.reached(run, 'done', 'failed');
  const refused = await fetch(`${served.url}/api/v1/runs`, { method: 'POST' });
  const ready = await fetch(`${served.url}/readyz`);
  served.child.kill('SIGTERM');
  const { code, stderr } = await served.done;

  assert.deepEqual([ended.state, ended.output], ['done', 'hello to you'], JSON.stringify(ended));
  assert.deepEqual([refused.status, ready.status], [401, 200]);
  assert.equal(code, 0, stderr);
  assert.ok(
    stderr.split('\n').some((line) => line.includes('"run settled"') && line.includes(run) && line.includes('"tenant_id":"default"')),
  );
  assert.equal((await one.cli(['audit', 'verify', '--bundles'])).code, 0);
  assert.equal((await one.cli(['runs', 'list', '--json'])).json.runs[0].door, 'http');
});

test('a second server of one home says who serves it, and ends', async () => {
  using one = newInstallation();
  await using served = await serveHome(one);

  const second = await one.cli(['serve', '--port', '0', '--json']);

  assert.equal(second.code, 2);
  assert.equal(second.json.error.code, 'cli.already-served');
  assert.match(second.json.error.message, new RegExp(`process ${served.child.pid}, at ${served.url}`));
});

test('SIGHUP: a wrong configuration changes nothing and is logged, a right one holds for new runs, and no request is dropped', async () => {
  await using server = await startOpenAiServer({ respond: ({ body }) => ({ text: String(body['model']) }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using served = await serveHome(one);
  let stderr = '';
  served.child.stderr?.on('data', (text: string) => void (stderr += text));
  const logged = async (text: string): Promise<void> => {
    while (!stderr.includes(text)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const say = async (): Promise<string> => (await served.reached(await served.post('hello'), 'done', 'failed')).output;
  const statuses = new Set<number>();
  const stop = new AbortController();
  const client = (async () => {
    while (!stop.signal.aborted) statuses.add((await served.ask('GET', '/api/v1/runs')).status);
  })();

  const before = await say();
  one.write('.clawhold/clawhold.yaml', 'version: 1\nmodel: test/other\nnonsense: true\n');
  served.child.kill('SIGHUP');
  await logged('the old one stays in force');
  const between = await say();
  one.write('.clawhold/clawhold.yaml', 'version: 1\nmodel: test/other\n');
  served.child.kill('SIGHUP');
  await logged('new runs begin with it');
  const after = await say();
  stop.abort();
  await client;

  assert.deepEqual([before, between, after], ['model', 'model', 'other']);
  assert.deepEqual([...statuses], [200]);
});

test('a run that waits for a human over HTTP goes on when the command line answers', async () => {
  await using server = await startOpenAiServer({
    turns: [{ toolCalls: [{ name: 'fs_write', args: { path: 'a.md', content: 'x' } }] }, { text: 'written' }],
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: 'grants:\n  fs.write: { ask: true }\n' });
  await using served = await serveHome(one);
  const run = await served.post('write a.md');
  await served.reached(run, 'waiting');

  const [question] = (await one.cli(['approvals', 'list', '--json'])).json.approvals;
  const answered = await one.cli(['approvals', 'approve', question.id]);
  const ended = await served.reached(run, 'done', 'failed');

  assert.match(answered.stdout, /goes on/);
  assert.deepEqual([ended.state, ended.output], ['done', 'written']);
  assert.equal(one.read('workspace/a.md'), 'x');
});

test('runs in child processes: one that dies is started again and its run goes on, and they end with their server', async () => {
  let hangs = 1;
  await using server = await startOpenAiServer({
    respond: () => (hangs-- > 0 ? { hang: 'before-headers' as const } : { text: 'over' }),
  });
  using one = newInstallation({
    openAi: server.baseUrl,
    clawholdYaml: 'model: test/model\nserve: { queue: { leaseSeconds: 1 } }\n',
  });
  await using served = await serveHome(one, ['--executors', '2']);
  const facts = (): { readonly executorPids?: readonly number[] } => JSON.parse(fs.readFileSync(path.join(one.home, 'serve.json'), 'utf8'));
  while ((facts().executorPids?.length ?? 0) < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const run = await served.post('hello');
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const { busy, slots, pids } = (await one.cli(['status', '--json'])).json.executors;

  assert.deepEqual([busy, slots, pids], [1, 2, facts().executorPids]);
  for (const pid of facts().executorPids ?? []) process.kill(pid, 'SIGKILL');
  const ended = await served.reached(run, 'done', 'failed');
  while ((facts().executorPids?.length ?? 0) < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  const children = facts().executorPids ?? [];
  served.child.kill('SIGKILL');
  await served.done;

  assert.equal(ended.state, 'done', JSON.stringify(ended));
  for (const pid of children) while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
});

test('one child process works on as many runs at a time as it may: a run that hangs there holds up no other', async () => {
  await using server = await startOpenAiServer({
    respond: (_request, count) => (count === 1 ? { hang: 'before-headers' as const } : { text: 'over' }),
  });
  const clawholdYaml = 'model: test/model\nserve: { drainSeconds: 0, executors: { processes: 1, perProcess: 2 } }\n';
  using one = newInstallation({ openAi: server.baseUrl, clawholdYaml });
  await using served = await serveHome(one);
  const hanging = await served.post('first');
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));

  const other = await served.reached(await served.post('second'), 'done', 'failed');
  const { slots } = (await one.cli(['status', '--json'])).json.executors;
  const first = await served.reached(hanging, 'running');

  assert.deepEqual([other.state, other.output, first.state, slots], ['done', 'over', 'running', 2]);
});

test('a server that was told to works beside its child processes: each takes a run, and status tells of both', async () => {
  await using server = await startOpenAiServer({
    respond: (_request, count) => (count <= 2 ? { hang: 'before-headers' as const } : { text: 'over' }),
  });
  const clawholdYaml =
    'model: test/model\nserve: { drainSeconds: 0, queue: { leaseSeconds: 1 }, executors: { processes: 1, concurrency: 1 } }\n';
  using one = newInstallation({ openAi: server.baseUrl, clawholdYaml });
  await using served = await serveHome(one);
  const runs = [await served.post('first'), await served.post('second')];
  while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
  const waiting = await served.post('third');

  const { busy, slots, pids } = (await one.cli(['status', '--json'])).json.executors;
  assert.deepEqual([busy, slots, pids.length], [2, 2, 1]);
  process.kill(pids[0], 'SIGKILL');
  const third = await served.reached(waiting, 'done', 'failed');
  const states = await Promise.all(runs.map(async (run) => (await served.reached(run, 'running', 'done')).state));

  assert.equal(third.state, 'done');
  assert.deepEqual(states.includes('running'), true, 'the run in the server is not touched by the death of the child');
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('an executor process says again and again that it lives, so that one that hangs is noticed', async () => {
  using one = newInstallation();
  const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
  const child = fork(main, ['serve', '--role', 'executor'], { cwd: one.root, env: one.env, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const beats: unknown[] = [];
  child.on('message', (message) => {
    if (message === 'alive') beats.push(message);
  });

  while (beats.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 100));
  const whileAlive = beats.length;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const whileStopped = beats.length - whileAlive;
  child.kill('SIGKILL');

  assert.equal(whileStopped, 0);
});

test('an executor without work ends after its idle time, and one is started when work arrives', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  const clawholdYaml = 'model: test/model\nserve: { executors: { processes: 1, idleSeconds: 1 } }\n';
  using one = newInstallation({ openAi: server.baseUrl, clawholdYaml });
  await using served = await serveHome(one);
  const children = (): readonly number[] => JSON.parse(fs.readFileSync(path.join(one.home, 'serve.json'), 'utf8')).executorPids ?? [];
  while (children().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));

  const ended = await served.reached(await served.post('hello'), 'done', 'failed');

  assert.equal(ended.state, 'done');
});
