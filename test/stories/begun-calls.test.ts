import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { RunId } from '../../src/contracts/ids.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { inProcess } from './in-process.ts';
import { allGrants, journalOf, newInstallation, type Document, type Installation } from './installation.ts';

const send = { name: 'test_send', args: { to: 'ada', text: 'hi' } };
const write = { name: 'fs_write', args: { path: 'a.md', content: 'by the agent\n' } };

/** Runs `ask` with a tool `test.send` besides, and dies with SIGKILL right after the effect of the named tool, or right before. */
async function dieAround(one: Installation, when: 'before' | 'after', tool: string): Promise<RunId> {
  const script = path.join(import.meta.dirname, 'dying-tool.ts');
  const child = spawn(process.execPath, [script, when, tool], { cwd: one.root, env: one.env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', stderr);
  await using app = inProcess(one);
  const [row] = await app.runs();
  assert.ok(row !== undefined);
  assert.equal(await app.liveState(row.id), 'interrupted');
  return row.id;
}

function lastResult(bundle: string): Document {
  return journalOf(bundle).findLast(({ kind }) => kind === 'result')?.result;
}

const allowAll = 'version: 1\nrules:\n  - { id: all, allow: "*" }\n';
const grants = `${allGrants}  test.send: {}\n`;

test('an effect of unknown outcome that is not idempotent asks a human, is named so, and is done once when approved', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [send] }, { text: 'sent' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: grants });
  one.write('.clawhold/policies/platform.yaml', allowAll);
  const run = await dieAround(one, 'before', 'test.send');
  await using app = inProcess(one);

  const parked = await app.resume(run, 'wait');
  const shown = await one.cli(['approvals', 'show', String(parked.waiting[0])]);
  const again = await app.resume(run, 'deny');
  const approved = await one.cli(['approvals', 'approve', String(parked.waiting[0])]);
  const outcome = await app.resume(run);

  assert.equal(parked.state, 'waiting');
  assert.match(shown.stdout, /whether it happened is not known/);
  assert.deepEqual(again.waiting, parked.waiting, 'the question was asked twice');
  assert.equal(approved.code, 0, approved.stderr);
  assert.deepEqual([outcome.state, outcome.output], ['done', 'sent']);
  assert.equal(one.read('outbox'), '{"to":"ada","text":"hi"}\n');
  await app.checkRecord(run);
});

test('an effect of unknown outcome is not repeated when nobody can be asked, and nobody says that it was not done', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [send] }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: grants });
  one.write('.clawhold/policies/platform.yaml', allowAll);
  const run = await dieAround(one, 'after', 'test.send');
  await using app = inProcess(one);

  const outcome = await app.resume(run);
  const result = lastResult(app.bundleOf(run));

  assert.equal(outcome.state, 'done');
  assert.equal(one.read('outbox'), '{"to":"ada","text":"hi"}\n');
  assert.equal(result.code, 'approval.unavailable');
  assert.match(result.text, /whether it happened is not known, and it is not done again/);
});

test('a write that happened before the kill is settled by the file, also when policy denies it by now', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [write] }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const run = await dieAround(one, 'after', 'fs.write');
  one.write('.clawhold/tenants/default/policy.yaml', 'version: 1\nrules:\n  - { id: no-writes, deny: fs.write }\n');
  await using app = inProcess(one);

  const outcome = await app.resume(run);
  const result = lastResult(app.bundleOf(run));

  assert.equal(outcome.state, 'done');
  assert.equal(one.read('workspace/a.md'), 'by the agent\n');
  assert.deepEqual([result.isError, result.data.path], [false, 'a.md']);
});

test('a write that had not happened is not done when policy denies it by now, and asks when policy asks by now', async () => {
  for (const [verdict, state] of [
    ['deny', 'done'],
    ['ask', 'waiting'],
  ] as const) {
    await using server = await startOpenAiServer({ turns: [{ toolCalls: [write] }, { text: 'over' }] });
    using one = newInstallation({ openAi: server.baseUrl });
    const run = await dieAround(one, 'before', 'fs.write');
    one.write('.clawhold/tenants/default/policy.yaml', `version: 1\nrules:\n  - { id: no-writes, ${verdict}: fs.write }\n`);
    await using app = inProcess(one);

    const outcome = await app.resume(run, 'wait');

    assert.equal(outcome.state, state);
    assert.equal(fs.existsSync(path.join(one.workspace, 'a.md')), false);
    if (verdict === 'deny') assert.match(lastResult(app.bundleOf(run)).text, /fs\.write was not done/);
  }
});

test('a target that somebody changed after the kill is a question and not overwritten', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [write] }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const run = await dieAround(one, 'before', 'fs.write');
  one.write('workspace/a.md', 'by a human\n');
  await using app = inProcess(one);

  const parked = await app.resume(run, 'wait');
  const approval = (await one.cli(['approvals', 'show', String(parked.waiting[0]), '--json'])).json['approval'];

  assert.equal(parked.state, 'waiting');
  assert.match(approval.decision.reason, /a\.md holds neither the old nor the new content/);
  assert.match(approval.preview, /-by a human\n\+by the agent/);
  assert.equal(one.read('workspace/a.md'), 'by a human\n');
});
