import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../contracts/model.ts';
import { compactMessages, estimateTokens } from './compact.ts';
import { nothingSpent, reachedCallLimit, reachedLimit } from './limits.ts';

function turn(n: number, characters: number): Message[] {
  return [
    { role: 'assistant', text: '', toolCalls: [{ id: `c${n}`, name: 'fs.read', argumentsText: '{}' }] },
    { role: 'tool', callId: `c${n}`, name: 'fs.read', text: String(n).repeat(characters), isError: false },
  ];
}

function request(messages: readonly Message[]): Parameters<typeof compactMessages>[0] {
  return { system: 's', messages, tools: [], maxOutputTokens: 100 };
}

const user: Message = { role: 'user', text: 'go' };

test('a conversation that fits stays as it is', () => {
  const messages = [user, ...turn(1, 100)];

  assert.deepEqual(compactMessages(request(messages), 1000), {
    messages,
    elided: [],
    estimatedTokens: estimateTokens(request(messages)),
    fits: true,
  });
});

test('the oldest results are elided first, the last turn never, and calls and results keep their pairs', () => {
  const messages = [user, ...turn(1, 2000), ...turn(2, 2000), ...turn(3, 2000)];

  const compacted = compactMessages(request(messages), 1600);

  assert.deepEqual([compacted.elided, compacted.fits], [['c1', 'c2'], true]);
  assert.equal(compacted.messages.length, messages.length);
  assert.match((compacted.messages[2] as { text: string }).text, /^\[elided: 2000 characters of fs\.read, sha256 [0-9a-f]{16}/);
  assert.deepEqual(compacted.messages.slice(-2), messages.slice(-2));
});

test('compaction is deterministic and done once: compacted again, nothing more goes', () => {
  const messages = [user, ...turn(1, 3000), ...turn(2, 500)];

  const once = compactMessages(request(messages), 1000);

  assert.deepEqual(compactMessages(request(messages), 1000), once);
  assert.deepEqual(compactMessages(request(once.messages), 1000).elided, []);
});

test('what does not fit even in its shortest form is said not to fit', () => {
  assert.equal(compactMessages(request([user, ...turn(1, 9000)]), 1000).fits, false);
});

test('each limit is reached at its value, not before and not after', () => {
  const limits = { turns: 2, seconds: 1, toolCalls: 3, tokens: 100, usd: 0.5 };
  const table = [
    { spent: {}, said: undefined },
    { spent: { turns: 1 }, said: undefined },
    { spent: { turns: 2 }, said: /2 model turns/ },
    { spent: { inputTokens: 60, outputTokens: 39 }, said: undefined },
    { spent: { inputTokens: 60, outputTokens: 40 }, said: /100 tokens .*100 used/ },
    { spent: { costMicroUsd: 499_999 }, said: undefined },
    { spent: { costMicroUsd: 500_000 }, said: /0\.5 USD .*0\.5000 spent/ },
  ];
  for (const { spent, said } of table) {
    const found = reachedLimit({ ...nothingSpent(), ...spent }, limits);
    if (said === undefined) assert.equal(found, undefined, JSON.stringify(spent));
    else assert.match(found ?? '', said);
  }
  assert.equal(reachedCallLimit({ ...nothingSpent(), toolCalls: 1 }, 2, limits), undefined);
  assert.match(reachedCallLimit({ ...nothingSpent(), toolCalls: 2 }, 2, limits) ?? '', /3 tool calls .*2 made, 2 more/);
});

test('a budget of nothing allows a model that costs nothing, and no other', () => {
  const limits = { turns: 9, seconds: 1, toolCalls: 3, tokens: 100, usd: 0 };

  assert.equal(reachedLimit({ ...nothingSpent(), turns: 1 }, limits), undefined);
  assert.match(reachedLimit({ ...nothingSpent(), costMicroUsd: 1 }, limits) ?? '', /0 USD/);
});
