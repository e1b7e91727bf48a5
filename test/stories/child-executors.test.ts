import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parseRunId } from '../../src/contracts/ids.ts';
import { startOpenAiServer, type RecordedRequest, type ServerTurn } from '../servers/openai-server.ts';
import { inProcess } from './in-process.ts';
import { journalOf, messagesOf, newInstallation, type Installation } from './installation.ts';
import { serveHome, type Served } from './served.ts';

const env = { NODE_OPTIONS: `--import ${path.join(import.meta.dirname, 'defective-child.ts')}` };

function inputOf(request: RecordedRequest): string {
  return String(messagesOf(request).find(({ role }) => role === 'user')?.content);
}

/** Writes file after file until it is told that it is over. */
function work(isOver: boolean, count: number): ServerTurn {
  if (isOver) return { text: 'worked on' };
  return { latencyMs: 300, toolCalls: [{ name: 'fs_write', args: { path: `w${count}.md`, content: 'x' } }] };
}

/** The processes of a server's children, once all of them are there. */
async function childrenOf(one: Installation, count: number): Promise<readonly number[]> {
  for (;;) {
    const { executorPids = [] } = JSON.parse(fs.readFileSync(path.join(one.home, 'serve.json'), 'utf8'));
    if (executorPids.length >= count) return executorPids;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function wasResumed(one: Installation, run: string): Promise<boolean> {
  await using app = inProcess(one);
  return journalOf(app.bundleOf(parseRunId(run))).some(({ kind }) => kind === 'resumed');
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The log of a server and its children, as it grows. */
function logOf(served: Served): { lines(text: string): readonly Record<string, unknown>[] } {
  let stderr = '';
  served.child.stderr?.on('data', (text: string) => void (stderr += text));
  const isRecord = (line: string, text: string): boolean => line.startsWith('{') && line.includes(text);
  return {
    lines: (text) =>
      stderr
        .split('\n')
        .slice(0, -1)
        .filter((line) => isRecord(line, text))
        .map((line) => JSON.parse(line)),
  };
}

test('a child process that leaks, on the heap or beside it, ends alone: its run is given up after its tries, and others work on', async () => {
  let isOver = false;
  await using server = await startOpenAiServer({
    respond: (request, count) => {
      const [, defect] = /^leak (\w+)$/.exec(inputOf(request)) ?? [];
      return defect === undefined ? work(isOver, count) : { hang: 'after-headers', headers: { 'x-defect': defect } };
    },
  });
  const clawholdYaml =
    'model: test/model\nserve: { queue: { leaseSeconds: 2, maxDeliveries: 2 }, executors: { processes: 3, memoryMb: 64 } }\n';
  using one = newInstallation({ openAi: server.baseUrl, clawholdYaml, env });
  await using served = await serveHome(one);
  const log = logOf(served);
  await childrenOf(one, 3);

  const working = await served.post('work');
  const leaking = [await served.post('leak heap'), await served.post('leak buffers')];
  const given = await Promise.all(leaking.map(async (run) => await served.reached(run, 'failed', 'done')));
  isOver = true;
  const worked = await served.reached(working, 'failed', 'done');
  const dead: { run: string; deliveries: number }[] = (await one.cli(['queue', 'dead', '--json'])).json.tasks;

  assert.deepEqual([worked.state, worked.output, await wasResumed(one, working)], ['done', 'worked on', false]);
  for (const { state, reason } of given) assert.match(`${state}: ${reason}`, /^failed: it was given up after 2 tries/);
  assert.deepEqual(dead.map(({ run, deliveries }) => [run, deliveries]).toSorted(), leaking.map((run) => [run, 2]).toSorted());
  assert.deepEqual(new Set(log.lines('died and is started again').map(({ reason }) => reason)), new Set(['SIGABRT', 'SIGKILL']));
  assert.equal(log.lines('more memory than it may').length, 2, 'each try of the one beside the heap');
  assert.equal((await one.cli(['audit', 'verify', '--bundles'])).code, 0);
});

test('a child process that hangs keeps its run no longer than its lease, and others work on', async () => {
  let isOver = false;
  let hung = 0;
  await using server = await startOpenAiServer({
    respond: (request, count) => {
      if (inputOf(request) === 'work') return work(isOver, count);
      return hung++ === 0 ? { hang: 'after-headers', headers: { 'x-defect': 'hang' } } : { text: 'not hung' };
    },
  });
  const clawholdYaml = 'model: test/model\nserve: { queue: { leaseSeconds: 1 }, executors: { processes: 3 } }\n';
  using one = newInstallation({ openAi: server.baseUrl, clawholdYaml, env });
  await using served = await serveHome(one);
  const children = await childrenOf(one, 3);
  using _ended = { [Symbol.dispose]: () => children.forEach((pid) => process.kill(pid, 'SIGKILL')) };

  const working = await served.post('work');
  const hanging = await served.reached(await served.post('hang'), 'failed', 'done');
  isOver = true;
  const worked = await served.reached(working, 'failed', 'done');

  assert.deepEqual([hanging.state, hanging.output, await wasResumed(one, hanging.id)], ['done', 'not hung', true]);
  assert.deepEqual([worked.state, worked.output, await wasResumed(one, working)], ['done', 'worked on', false]);
  assert.deepEqual(await childrenOf(one, 3), children, 'it hangs still, and nobody else was ended for it');
  if (process.platform === 'linux')
    assert.deepEqual(
      children.map((pid) => fs.readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()),
      ['500', '500', '500'],
      'short of memory, the kernel ends children before their server',
    );
});

test('Ctrl-C reaches the server alone: its children end what they work on, and the log stays JSON', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over', latencyMs: 1000 }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using served = await serveHome(one, ['--executors', '1'], undefined, { detached: true });
  await childrenOf(one, 1);
  const run = await served.post('hello');
  while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));

  // As a terminal does it: to every process of the foreground group.
  process.kill(-served.child.pid!, 'SIGINT');
  const { code, stderr } = await served.done;
  const { state } = (await one.cli(['runs', 'show', run, '--json'])).json.run;

  assert.deepEqual([code, state, await wasResumed(one, run)], [0, 'done', false], stderr);
  assert.deepEqual(
    stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{')),
    [],
  );
});

test('a child process that something keeps from its end ends all the same when its server is killed', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over', headers: { 'x-defect': 'hold' } }) });
  using one = newInstallation({ openAi: server.baseUrl, env });
  await using served = await serveHome(one, ['--executors', '1']);
  const [pid] = await childrenOf(one, 1);
  await served.reached(await served.post('hello'), 'done');

  served.child.kill('SIGKILL');
  // Its standard error is the child's too, and open until both have ended.
  const { signal } = await served.done;

  assert.equal(signal, 'SIGKILL');
  while (isAlive(pid!)) await new Promise((resolve) => setTimeout(resolve, 20));
});
