import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation, type Document, type Installation } from './installation.ts';
import { serveHome } from './served.ts';

function journalOf(one: Installation, run: string): Document[] {
  const runs = path.join(one.home, 'tenants/default/runs');
  const file = fs.readdirSync(runs, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith(`${run}/journal.jsonl`)) ?? '';
  return fs
    .readFileSync(path.join(runs, file), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

for (const [where, args] of [
  ['in the server', []],
  ['in two child processes', ['--executors', '2']],
] as const)
  test(`runs at the same time ${where} do not each spend all that is left of the day: one waits until the other gave back what it held`, async () => {
    await using model = await startOpenAiServer({ latencyMs: 400 });
    using one = newInstallation({ openAi: model.baseUrl, llmExtra: 'models:\n  test/model: { inputPer1M: 1000, outputPer1M: 1000 }\n' });
    one.write('.clawhold/tenants/default/tenant.yaml', 'version: 1\nquotas: { usdPerDay: 1 }\n');
    await using served = await serveHome(one, args);

    const runs = await Promise.all([served.post('hello'), served.post('hello')]);
    const ended = await Promise.all(runs.map(async (run) => await served.reached(run, 'done', 'failed', 'limited')));

    assert.deepEqual(
      ended.map(({ state }) => state),
      ['done', 'done'],
    );
    const told = runs.map((run) => {
      const entries = journalOf(one, run);
      const [accepted, end] = ['accepted', 'end'].map((kind) => entries.find((entry) => entry.kind === kind));
      return { usd: accepted.limits.usd, fromMs: accepted.atMs, toMs: end.atMs, spent: end.totals.costMicroUsd / 1e6 };
    });
    const [first, second] = told.toSorted((a, b) => a.fromMs - b.fromMs);
    assert.equal(first!.usd, 1);
    assert.ok(second!.fromMs >= first!.toMs, JSON.stringify(told));
    assert.ok(Math.abs(second!.usd - (1 - first!.spent)) < 1e-6 && first!.spent > 0, JSON.stringify(told));
  });

test('sabotage: with a day that has room for both, both begin at once', async () => {
  await using model = await startOpenAiServer({ latencyMs: 400 });
  using one = newInstallation({ openAi: model.baseUrl, llmExtra: 'models:\n  test/model: { inputPer1M: 1000, outputPer1M: 1000 }\n' });
  await using served = await serveHome(one);

  const runs = await Promise.all([served.post('hello'), served.post('hello')]);
  await Promise.all(runs.map(async (run) => await served.reached(run, 'done', 'failed', 'limited')));

  const times = runs.map((run) => {
    const entries = journalOf(one, run);
    return { fromMs: entries[0]?.atMs as number, toMs: entries.at(-1)?.atMs as number };
  });
  assert.ok(times[0]!.fromMs < times[1]!.toMs && times[1]!.fromMs < times[0]!.toMs, JSON.stringify(times));
});
