import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { JournalEntry } from '../contracts/journal.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { RunItem } from '../contracts/run.ts';
import type { RunRow } from '../state/runs.ts';
import { homeAt } from '../state/home.ts';
import { bundleFiles } from './bundle.ts';
import { sessionHistory } from './session-history.ts';
import { lowestLimits } from './start-run.ts';
import { stopFileName, watchStopFile } from './stop-file.ts';

const item = {
  kind: 'agent',
  runId: `run_01${'0'.repeat(24)}`,
  sessionId: `ses_01${'0'.repeat(24)}`,
  tenant: 'default',
  agent: 'main',
  door: 'cli',
  principal: { kind: 'user', id: 'tester' },
  input: 'hello',
} as unknown as RunItem;

const limits = { turns: 1, seconds: 1, toolCalls: 1, tokens: 1, usd: 1 };
const journal = [
  {
    kind: 'accepted',
    v: 1,
    atMs: 1_000,
    build: 'b',
    item,
    model: 'test/some/model',
    isScripted: true,
    contextTokens: 1,
    maxOutputTokens: 1,
    limits,
    pinned: {},
  },
  {
    kind: 'model.answer',
    turn: 1,
    atMs: 1_500,
    durationMs: 400,
    attempts: 2,
    answer: { text: '', toolCalls: [], stop: 'tool' },
    costMicroUsd: 1_500,
  },
  {
    kind: 'decisions',
    turn: 1,
    calls: [
      {
        callId: '1.1',
        request: { tool: 'fs.read' },
        requestHash: 'h',
        decision: { verdict: 'allow', rule: { file: 'f', line: 3, id: 'r' } },
      },
    ],
  },
  { kind: 'result', callId: '1.1', atMs: 1_600, durationMs: 7, result: { isError: false, text: 'fine' } },
  {
    kind: 'end',
    atMs: 3_000,
    state: 'done',
    reason: 'ok',
    output: 'bye',
    totals: { turns: 1, toolCalls: 1, inputTokens: 1, outputTokens: 1 },
  },
] as unknown as JournalEntry[];

test('the bundle follows from the journal alone, the same bytes each time', () => {
  const files = bundleFiles(journal);
  const record = JSON.parse(files.get('run.json') ?? '') as JsonObject;

  assert.deepEqual(bundleFiles(structuredClone(journal)), files);
  assert.deepEqual([...files.keys()].toSorted(), ['cost_telemetry.jsonl', 'input.md', 'output.md', 'run.json', 'tools/1.1.json']);
  assert.deepEqual([files.get('input.md'), files.get('output.md')], ['hello\n', 'bye\n']);
  assert.deepEqual([record['state'], record['durationMs'], record['isScripted']], ['done', 2_000, true]);
  assert.deepEqual(record['tools'], [{ call: '1.1', tool: 'fs.read', verdict: 'allow', rule: 'f:3 r', isError: false, durationMs: 7 }]);
  const cost = JSON.parse(files.get('cost_telemetry.jsonl') ?? '') as JsonObject;
  assert.deepEqual(
    [cost['provider'], cost['model'], cost['usage'], cost['actualCostUsd'], cost['attempts']],
    ['test', 'some/model', null, 0.0015, 2],
  );
});

test('a run that has not ended has a bundle that says so', () => {
  const files = bundleFiles(journal.slice(0, 3));

  assert.equal(files.has('output.md'), false);
  assert.equal((JSON.parse(files.get('run.json') ?? '') as JsonObject)['state'], 'running');
});

test('of several layers the lowest limit wins, each by itself', () => {
  const ceilings = { turns: 40, seconds: 900, toolCalls: 200, tokens: 1000, usd: 5 };

  assert.deepEqual(lowestLimits(ceilings, { turns: 10, usd: 50 }, { turns: 20, seconds: 5 }), { ...ceilings, turns: 10, seconds: 5 });
});

test('a stop file ends the run once, and one from before does not', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-stop-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  const file = path.join(dir, stopFileName);
  fs.writeFileSync(file, '');
  using watch = watchStopFile(dir);
  assert.equal(fs.existsSync(file), false);
  const keepAlive = setInterval(() => {}, 1000);
  t.after(() => clearInterval(keepAlive));

  fs.writeFileSync(file, '');
  await new Promise((resolve) => watch.signal.addEventListener('abort', resolve, { once: true }));

  assert.equal((watch.signal.reason as { why: string }).why, 'cancelled');
  assert.equal(fs.existsSync(file), false);
});

test('history holds finished runs of the session, oldest first, without the run itself and within its size', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-history-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const home = homeAt(root);
  const row = (n: number, state: string, said: string): RunRow => {
    const id = `run_0${n}${'0'.repeat(24)}` as RunRow['id'];
    const dir = home.runDir(item.tenant, id);
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'input.md'), `${said}?\n`);
    fs.writeFileSync(path.join(dir, 'output.md'), `${said}!\n`);
    return { id, state } as RunRow;
  };
  const rows = [
    { id: item.runId, state: 'running' } as RunRow,
    row(6, 'done', 'b'),
    row(5, 'failed', 'x'),
    row(4, 'limited', 'a'),
    row(3, 'done', 'x'.repeat(70_000)),
    row(2, 'done', 'old'),
  ];

  const history = sessionHistory(
    { home, redactor: { text: (text: string) => text } as never, runs: { ofSession: () => rows } as never },
    item,
  );

  assert.deepEqual(
    history.map(({ role, text }) => `${role} ${text}`),
    ['user a?', 'assistant a!', 'user b?', 'assistant b!'],
  );
});
