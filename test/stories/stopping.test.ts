import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer, type ModelServer, type ServerTurn } from '../servers/openai-server.ts';
import { journalOf, newInstallation, type Document, type Installation } from './installation.ts';
import { serveHome } from './served.ts';

const read = { name: 'fs_list', args: {} };
const slow: ServerTurn = { text: 'a long answer that takes its time', eventDelayMs: 200 };

/** Resolves when the server has seen so many requests. */
async function untilAsked(server: ModelServer, count: number): Promise<void> {
  while (server.requests.length < count) await new Promise((resolve) => setTimeout(resolve, 20));
}

function latestBundle(one: Installation): string {
  const runs = path.join(one.home, 'tenants/default/runs');
  const run = fs.readdirSync(runs, { recursive: true, encoding: 'utf8' }).find((name) => /run_\w{26}$/.test(name));
  return path.join(runs, run ?? '');
}

test('the first Ctrl-C ends a run cleanly with exit 130, and a resume asks for no recorded answer again', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [read] }, { ...slow, eventDelayMs: 400 }, { text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { child, done } = one.start(['ask', 'work', '--json']);

  await untilAsked(server, 2);
  child.kill('SIGINT');
  const stopped = await done;
  const resumed = await one.cli(['runs', 'resume', '--json']);

  assert.deepEqual([stopped.code, stopped.json['state']], [130, 'cancelled']);
  assert.deepEqual([resumed.code, resumed.json['output']], [0, 'done']);
  assert.equal(server.requests.length, 3);
  assert.equal((await one.cli(['audit', 'verify', '--schema'])).code, 0);
});

test('the second Ctrl-C ends at once with exit 130, and the run can still be resumed', async () => {
  await using server = await startOpenAiServer({ turns: [slow, { text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { child, done } = one.start(['ask', 'work', '--json']);

  await untilAsked(server, 1);
  child.kill('SIGINT');
  child.kill('SIGINT');
  const stopped = await done;
  const resumed = await one.cli(['runs', 'resume', '--json']);

  assert.equal(stopped.code, 130);
  assert.equal(resumed.code, 0, resumed.stdout);
});

test('runs stop ends a run of another process, which is refused to a second one while it works', async () => {
  await using server = await startOpenAiServer({ turns: [{ ...slow, eventDelayMs: 1000 }, { text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { done } = one.start(['ask', 'work', '--json']);

  await untilAsked(server, 1);
  const busy = await one.cli(['runs', 'resume', '--json']);
  const undo = await one.cli(['runs', 'undo', '--json']);
  const stop = await one.cli(['runs', 'stop', '--json']);
  const stopped = await done;
  const late = await one.cli(['runs', 'stop', '--json']);

  assert.deepEqual([busy.code, busy.json['error'].code], [2, 'worker.run-busy']);
  assert.deepEqual([undo.code, undo.json['error'].code], [2, 'cli.run-busy']);
  assert.deepEqual([stop.code, stopped.code, stopped.json['state']], [0, 130, 'cancelled']);
  assert.deepEqual([late.code, late.json['error'].code], [2, 'cli.not-running']);
});

test('a served run that was stopped over HTTP goes on over HTTP from where it was, once however often that is asked for', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [read] }, { ...slow, eventDelayMs: 1000 }, { text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  await using served = await serveHome(one);
  const run = await served.post('work');
  const act = async (what: string): Promise<readonly [number, string | undefined]> => {
    const { status, json } = await served.ask('POST', `/api/v1/runs/${run}/${what}`);
    return [status, json.code];
  };

  await untilAsked(server, 2);
  const early = await act('resume');
  await act('stop');
  await served.reached(run, 'cancelled');
  const wishes = await Promise.all([act('resume'), act('resume')]);
  const ended = await served.reached(run, 'done', 'failed');
  const late = await act('resume');
  const queued = async (): Promise<Document> => (await served.ask('GET', '/api/v1/queue')).json.queues[0];
  while ((await queued()).leased > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const { json: tasks } = await served.ask('GET', '/api/v1/queue/tasks?state=done');

  assert.deepEqual(
    [early, late],
    [
      [409, 'gateway.run-goes-on'],
      [409, 'control.not-resumable'],
    ],
  );
  assert.ok(
    wishes.some(([status]) => status === 202),
    JSON.stringify(wishes),
  );
  assert.deepEqual([ended.state, ended.output.trim()], ['done', 'done']);
  assert.equal(server.requests.length, 3);
  assert.equal(tasks.tasks.length, 2);
});

test('a run that was stopped before it began is not resumed but said to be started again', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  await using served = await serveHome(one);

  await served.ask('POST', '/api/v1/queue/pause', {});
  const run = await served.post('work');
  const stopped = await served.ask('POST', `/api/v1/runs/${run}/stop`);
  const resumed = await served.ask('POST', `/api/v1/runs/${run}/resume`);

  assert.deepEqual([stopped.json.outcome, resumed.status, resumed.json.code], ['cancelled', 409, 'gateway.run-never-began']);
});

test('each limit ends a run in its own way, with what was reached so far', async () => {
  const turns = [{ text: 'so far', toolCalls: [read], usage: { input: 600, output: 600 } }];
  await using server = await startOpenAiServer({ turns });
  const prices = 'models:\n  test/model: { inputPer1M: 1000, outputPer1M: 1000 }\n';
  const table = [
    { args: ['--max-turns', '2'], code: 7, said: 'limit.reached', turns: 2, yaml: '' },
    { args: ['--max-usd', '2'], code: 7, said: 'limit.reached', turns: 2, yaml: '' },
    { args: [], code: 7, said: 'limit.reached', turns: 3, yaml: 'limits: { tokens: 3000 }\n' },
    { args: [], code: 7, said: 'limit.tool-calls', turns: 3, yaml: 'limits: { toolCalls: 2 }\n' },
  ];

  await Promise.all(
    table.map(async ({ args, code, said, turns: reached, yaml }) => {
      using one = newInstallation({ openAi: server.baseUrl, clawholdYaml: `model: test/model\n${yaml}`, llmExtra: prices });
      const asked = await one.cli(['ask', 'work', '--json', ...args]);
      const { error, state, output, totals, bundle } = asked.json;
      assert.deepEqual(
        [asked.code, error?.code, state, output, totals.turns],
        [code, said, 'limited', 'so far', reached],
        args.join(' ') + yaml,
      );
      assert.equal(journalOf(bundle).at(-1)?.state, 'limited');
      assert.equal(fs.readFileSync(path.join(bundle, 'output.md'), 'utf8'), 'so far\n');
    }),
  );
});

test('--max-seconds ends a run that waits for its model with exit 124', async () => {
  await using server = await startOpenAiServer({ turns: [{ hang: 'before-headers' }] });
  using one = newInstallation({ openAi: server.baseUrl });

  const asked = await one.cli(['ask', 'work', '--json', '--max-seconds', '0.3']);

  assert.deepEqual([asked.code, asked.json['state'], asked.json['error'].code], [124, 'limited', 'limit.seconds']);
  assert.equal(journalOf(latestBundle(one)).at(-1)?.kind, 'end');
});

test('a flag cannot raise a ceiling, and an agent cannot either', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'on', toolCalls: [read] }] });
  using one = newInstallation({
    openAi: server.baseUrl,
    agentYaml: 'grants: { fs.list: {} }\nlimits: { turns: 30 }\n',
    clawholdYaml: 'model: test/model\nlimits: { turns: 2 }\n',
  });

  const asked = await one.cli(['ask', 'work', '--json', '--max-turns', '20']);

  assert.deepEqual([asked.code, asked.json['totals'].turns], [7, 2]);
});
