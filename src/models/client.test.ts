import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelAnswer, ModelFacts, ModelProvider, ModelRequest } from '../contracts/model.ts';
import { ModelError } from '../contracts/model-error.ts';
import { createModelClient } from './client.ts';
import { parseScript, createScriptedProvider } from './scripted.ts';
import { nextWaitMs, defaultRetry } from './retry.ts';
import { classOfStatus } from './wire/failures.ts';
import { retryAfterMs } from './wire/retry-after.ts';

const facts: ModelFacts = { model: 'box/m', isScripted: false, contextTokens: 1000, maxOutputTokens: 100, hasPrice: false };
const request: ModelRequest = {
  model: 'box/m',
  system: '',
  messages: [
    { role: 'user', text: 'Go.' },
    { role: 'assistant', text: '', toolCalls: [{ id: 'call_0', name: 'fs.list', argumentsText: '{}' }] },
    { role: 'tool', callId: 'call_0', name: 'fs.list', text: 'a.md', isError: false },
  ],
  tools: [],
  maxOutputTokens: 100,
};
const signal = new AbortController().signal;

/** A provider that gives these answers, in order. */
function answering(...answers: readonly (ModelAnswer | Error)[]): ModelProvider {
  const left = [...answers];
  return {
    name: 'box',
    isScripted: false,
    isConfigured: () => true,
    status: () => ({ name: 'box', isScripted: false, isConfigured: true }),
    checkHealth: () => Promise.resolve({ isHealthy: true, detail: '' }),
    generate: () => {
      const next = left.shift() ?? new Error('No answer is left.');
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
  };
}

test('errors fall into exactly four classes', () => {
  const table = [429, 500, 501, 502, 503, 504, 505, 529, 400, 401, 403, 404, 408, 301].map((status) => [status, classOfStatus(status)]);

  assert.deepEqual(table, [
    [429, 'transient_quota'],
    ...[500, 501, 502, 503, 504].map((status) => [status, 'transient_server']),
    ...[505, 529, 400, 401, 403, 404, 408, 301].map((status) => [status, 'non_transient']),
  ]);
});

test('Retry-After is read as seconds or as a date, and as nothing else', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');

  assert.equal(retryAfterMs('7', now), 7000);
  assert.equal(retryAfterMs('0.5', now), 500);
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:00:09 GMT', now), 9000);
  assert.equal(retryAfterMs('Wed, 31 Dec 2025 00:00:00 GMT', now), 0);
  for (const odd of [undefined, '', '-1', 'soon', '1e9', '99999999999', '2026']) assert.ok((retryAfterMs(odd, now) ?? 0) >= 0);
  assert.equal(retryAfterMs('soon', now), undefined);
});

test('waits double up to the limit, half of each by chance', () => {
  const error = new ModelError('models.server-error', 'x', { errorClass: 'transient_server' });
  const policy = { ...defaultRetry, attempts: 9, maxWaitMs: 3000 };

  const longest = [1, 2, 3, 4, 5].map((attempt) => nextWaitMs(error, attempt, { ...policy, random: () => 0.999_999 }));
  const shortest = [1, 2, 3, 4, 5].map((attempt) => nextWaitMs(error, attempt, { ...policy, random: () => 0 }));

  assert.deepEqual(longest, [500, 1000, 2000, 3000, 3000]);
  assert.deepEqual(shortest, [250, 500, 1000, 1500, 1500]);
});

test('an error that is not the model’s own is not tried again', async () => {
  const bug = new TypeError('a bug');

  await assert.rejects(
    createModelClient({ provider: answering(bug, { text: 'x', toolCalls: [], stop: 'end' }), facts }).call(request, { signal }),
    (thrown) => thrown === bug,
  );
});

test('ids that are missing, doubled, taken or fit for a path become unique and harmless, the same each time', async () => {
  const answer: ModelAnswer = {
    text: '',
    stop: 'tool',
    toolCalls: ['', 'same', 'same', 'call_0', '../../etc/passwd', 'good-1'].map((id) => ({ id, name: 'fs.read', argumentsText: '{}' })),
  };

  const first = await createModelClient({ provider: answering(answer), facts }).call(request, { signal });
  const second = await createModelClient({ provider: answering(answer), facts }).call(request, { signal });

  const ids = first.answer.toolCalls.map(({ id }) => id);
  assert.equal(new Set([...ids, 'call_0']).size, 7);
  assert.ok(
    ids.every((id) => /^[A-Za-z0-9_-]+$/.test(id)),
    ids.join(' '),
  );
  assert.deepEqual([ids[1], ids[5]], ['same', 'good-1']);
  assert.deepEqual(second.answer.toolCalls, first.answer.toolCalls);
});

test('a cost is counted from usage, estimated without, and unknown without a price', async () => {
  const price = { inputPer1M: 1.5, outputPer1M: 6 };
  const told: ModelAnswer = { text: 'x', toolCalls: [], stop: 'end', usage: { inputTokens: 1000, outputTokens: 100 } };
  const silent: ModelAnswer = { text: 'x'.repeat(400), toolCalls: [], stop: 'end' };

  const known = await createModelClient({ provider: answering(told), facts, price }).call(request, { signal });
  const estimated = await createModelClient({ provider: answering(silent), facts, price }).call(request, { signal });
  const unknown = await createModelClient({ provider: answering(told), facts }).call(request, { signal });

  assert.equal(known.costMicroUsd, 2100);
  assert.ok((estimated.costMicroUsd ?? 0) > 600);
  assert.ok(!('costMicroUsd' in unknown));
});

test('a script’s own failure reaches the caller as a model error', async () => {
  const script = parseScript({ version: 1, branches: [{ turns: [{ fail: { status: 503 } }] }] }, 'x.yaml');
  const waits: number[] = [];
  const client = createModelClient({
    provider: createScriptedProvider('scripted', script),
    facts,
    sleep: async (ms) => void waits.push(ms),
    random: () => 0,
  });

  await assert.rejects(client.call({ ...request, messages: [{ role: 'user', text: 'x' }] }, { signal }), {
    code: 'models.server-error',
    errorClass: 'transient_server',
  });
  assert.deepEqual(waits, [250, 500, 1000]);
});
