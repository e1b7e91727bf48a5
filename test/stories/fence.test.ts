import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, newSessionId, type RunId } from '../../src/contracts/ids.ts';
import { taskIdOf } from '../../src/contracts/task.ts';
import { resumeRun } from '../../src/worker/resume-run.ts';
import type { RunLease } from '../../src/worker/worker-context.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { inProcess } from './in-process.ts';
import { allGrants, journalOf, newInstallation, type Installation } from './installation.ts';

const calls = [
  { name: 'test_send', args: { to: 'ada', text: 'hi' } },
  { name: 'fs_write', args: { path: 'a.md', content: 'by the agent\n' } },
];

/** Starts a holder and resolves when it has stopped itself at the place. */
async function pausedHolder(one: Installation, { run, place, tool }: { run: RunId; place: string; tool: string }): Promise<ChildProcess> {
  const argv = [path.join(import.meta.dirname, 'pausing-holder.ts'), run, newSessionId(1), place, tool];
  const child = spawn(process.execPath, argv, { cwd: one.root, env: one.env, stdio: ['ignore', 'ignore', 'inherit'] });
  for (;;) {
    const state = /\) (\w) /.exec(fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8'))?.[1];
    if (state === 'T') return child;
    assert.equal(child.exitCode, null, 'the holder ended without stopping');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A stopped process would outlive a failed test. */
function endAtLast(holder: ChildProcess): Disposable {
  return { [Symbol.dispose]: () => void holder.kill('SIGKILL') };
}

/** The next delivery of the same task. */
function nextLease(run: RunId): RunLease {
  return { task: taskIdOf(run), fence: 2, signal: new AbortController().signal, check: () => {} };
}

const allowAll = 'version: 1\nrules:\n  - { id: all, allow: "*" }\n';
const sent = '{"to":"ada","text":"hi"}\n';

const places = [
  { place: 'answer', tool: '', outbox: sent, results: 2 },
  { place: 'intent', tool: 'fs.write', outbox: sent, results: 2 },
  // Whether it was sent cannot be looked up, and nobody can be asked: it is not sent by the second holder.
  { place: 'intent', tool: 'test.send', outbox: '', results: 2 },
  { place: 'effect', tool: 'test.send', outbox: sent, results: 2 },
  { place: 'effect', tool: 'fs.write', outbox: sent, results: 2 },
  { place: 'end', tool: '', outbox: sent, results: 2 },
] as const;

for (const { place, tool, outbox, results } of places) {
  test(`a holder that is paused past its lease at ${place} ${tool} wakes up fenced off: no second effect, and a ledger that verifies`, async () => {
    await using server = await startOpenAiServer({
      respond: ({ body }) => ((body['messages'] as unknown[]).length === 2 ? { toolCalls: calls } : { text: 'over' }),
    });
    using one = newInstallation({ openAi: server.baseUrl, agentYaml: `${allGrants}  test.send: {}\n` });
    one.write('.clawhold/policies/platform.yaml', allowAll);
    const run = newRunId(Date.now());
    const holder = await pausedHolder(one, { run, place, tool });
    using _end = endAtLast(holder);
    await using app = inProcess(one);
    const worker = await app.worker('deny');

    const taken = await resumeRun({ ...worker, lease: nextLease(run) }, run, { signal: new AbortController().signal, approvals: 'deny' });
    holder.kill('SIGCONT');
    await once(holder, 'close');

    assert.deepEqual([taken.state, taken.output], ['done', 'over']);
    assert.equal(one.read('holder'), 'state.lease-lost');
    assert.equal(fs.existsSync(path.join(one.root, 'outbox')) ? one.read('outbox') : '', outbox);
    assert.equal(one.read('workspace/a.md'), 'by the agent\n');
    assert.equal(journalOf(app.bundleOf(run)).filter(({ kind }) => kind === 'result').length, results);
    assert.equal((await app.events(run, 'run.end')).length, place === 'end' ? 2 : 1);
    const verified = await one.cli(['audit', 'verify', '--bundles']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });
}

test('sabotage: without a larger fence of the same task, a run of a paused process is not taken', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  const run = newRunId(Date.now());
  const holder = await pausedHolder(one, { run, place: 'answer', tool: '' });
  using _end = endAtLast(holder);
  await using app = inProcess(one);
  const worker = await app.worker('deny');
  const options = { signal: new AbortController().signal, approvals: 'deny' };
  const busy = { code: 'worker.run-busy' };

  await assert.rejects(resumeRun(worker, run, options), busy);
  await assert.rejects(resumeRun({ ...worker, lease: { ...nextLease(run), fence: 1 } }, run, options), busy);
  await assert.rejects(resumeRun({ ...worker, lease: { ...nextLease(run), task: taskIdOf(newRunId(7)) } }, run, options), busy);
  holder.kill('SIGCONT');
  await once(holder, 'close');

  assert.equal(one.read('holder'), 'done');
});
