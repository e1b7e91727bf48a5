import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../../src/contracts/ids.ts';
import type { RunItem } from '../../src/contracts/run.ts';
import { startRun } from '../../src/worker/start-run.ts';
import type { ItemOutcome, WorkerContext } from '../../src/worker/worker-context.ts';
import { startOpenAiServer, type ModelServer } from '../servers/openai-server.ts';
import { inProcess, type InProcess } from './in-process.ts';
import { allGrants, newInstallation, type Installation } from './installation.ts';

/** One process that works on run after run, as a server does: what it knows from the last run must never decide the next. */
interface Warm {
  readonly one: Installation;
  readonly here: InProcess;
  readonly server: ModelServer;
  readonly worker: WorkerContext;
  run(): Promise<ItemOutcome>;
}

async function warmProcess(t: TestContext): Promise<Warm> {
  const write = { name: 'fs.write', args: { path: 'a.txt', content: 'x' } };
  const server = await startOpenAiServer({ turns: Array.from({ length: 8 }, () => [{ toolCalls: [write] }, { text: 'Done.' }]).flat() });
  const one = newInstallation({ openAi: server.baseUrl });
  const here = inProcess(one);
  t.after(async () => {
    await here[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    one[Symbol.dispose]();
  });
  const worker = await here.worker('deny');
  const run = async (): Promise<ItemOutcome> => {
    const item: RunItem = {
      kind: 'agent',
      runId: newRunId(Date.now()),
      sessionId: newSessionId(Date.now()),
      tenant: parseTenantId('default'),
      agent: parseAgentId('main'),
      door: 'cli',
      principal: { kind: 'user', id: 'tester' },
      input: 'go',
    };
    return await startRun(worker, item, new AbortController().signal);
  };
  return { one, here, server, worker, run };
}

/** Replaces a file by one of the same length and the same times. */
function swap(one: Installation, name: string, text: string): void {
  const file = path.join(one.root, name);
  const before = fs.statSync(file);
  assert.equal(Buffer.byteLength(text), before.size, 'the test wants two texts of one length');
  fs.writeFileSync(file, text);
  fs.utimesSync(file, before.atime, before.mtime);
}

async function verdictOf(here: InProcess, outcome: ItemOutcome): Promise<string> {
  return (await here.events(outcome.run, 'tool.decision'))[0]?.verdict ?? 'none';
}

test('a grant that was taken away between two runs of one process is gone, whatever its file looks like from outside', async (t) => {
  const { one, here, run } = await warmProcess(t);
  const before = await verdictOf(here, await run());
  swap(one, one.agentFile('agent.yaml'), `version: 1\n${allGrants.replace('fs.write', 'fs.wrong')}`);

  const after = await verdictOf(here, await run());

  assert.deepEqual([before, after], ['allow', 'deny']);
});

test('a tenant policy that appears between two runs of one process holds for the second', async (t) => {
  const { one, here, run } = await warmProcess(t);
  const before = await verdictOf(here, await run());
  one.write('.clawhold/tenants/default/policy.yaml', 'version: 1\nrules:\n  - id: no-writes\n    deny: fs.write\n');

  const after = await verdictOf(here, await run());

  assert.deepEqual([before, after], ['allow', 'deny']);
});

test('instructions that were changed between two runs of one process are sent as they are now', async (t) => {
  const { one, server, run } = await warmProcess(t);
  await run();
  swap(one, one.agentFile('SOUL.md'), 'You are a painful assistant.\n');

  await run();

  const [first, last] = [server.requests[0], server.requests.at(-1)].map((request) => JSON.stringify(request?.body['messages']));
  assert.match(String(first), /You are a careful assistant/);
  assert.doesNotMatch(String(last), /You are a careful assistant\./);
});

test('every run of a warm process leaves a record that verifies by itself', async (t) => {
  const { here, run } = await warmProcess(t);

  const outcomes = [await run(), ...(await Promise.all([run(), run()])), await run()];

  for (const { run: id, state } of outcomes) {
    assert.equal(state, 'done');
    await here.checkRecord(id);
  }
});
