import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { newRunId, parseTenantId, type RunId } from '../contracts/ids.ts';
import type { FeedEvent } from '../contracts/run-feed.ts';
import type { RunState } from '../contracts/run.ts';
import { createHome } from './home.ts';
import { openRunFeed, type OpenRunFeed, type RunRef } from './run-feed.ts';
import type { RunRow } from './runs.ts';

interface World {
  readonly feed: OpenRunFeed;
  readonly run: RunRef;
  readonly file: string;
  readonly rows: Map<RunId, Pick<RunRow, 'state' | 'reason'>>;
  write(...entries: readonly object[]): void;
}

function open(t: TestContext): World {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'feed-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const home = createHome(root);
  const rows: World['rows'] = new Map();
  const run = { tenant: parseTenantId('default'), run: newRunId(Date.now()) };
  const feed = openRunFeed({ home, runs: { get: (id) => rows.get(id) as RunRow | undefined, stateOf: (id) => rows.get(id)?.state } });
  t.after(() => feed[Symbol.dispose]());
  const file = path.join(home.runDir(run.tenant, run.run), 'journal.jsonl');
  fs.mkdirSync(path.dirname(file), { recursive: true });
  return {
    feed,
    run,
    file,
    rows,
    write: (...entries) => fs.appendFileSync(file, entries.map((one) => `${JSON.stringify(one)}\n`).join('')),
  };
}

const end = (state: RunState): object => ({ kind: 'end', atMs: 1, state, reason: 'because', output: 'the output', totals: {} });
const never = new AbortController().signal;

async function collect(events: AsyncIterable<FeedEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const { seq, type, data } of events)
    found.push(seq === undefined ? `${type} ${(data as { delta?: string }).delta ?? ''}`.trim() : `${seq} ${type}`);
  return found;
}

test('a listener gets every line of the journal once and in order, and ends with the run', async (t) => {
  const { feed, run, write } = open(t);
  write({ kind: 'accepted' }, { kind: 'prompt' });
  const seen = collect(feed.follow(run, 0, never));
  write({ kind: 'model.request', turn: 1 });
  feed.publish(run, { type: 'turn', turn: 1 });
  write({ kind: 'model.answer', turn: 1 }, end('done'));

  assert.deepEqual(await seen, ['1 accepted', '2 prompt', '3 model.request', '4 model.answer', '5 end']);
  assert.equal(feed.followed, 0);
});

test('a listener that comes back goes on behind the line that it saw last', async (t) => {
  const { feed, run, write } = open(t);
  write({ kind: 'accepted' }, { kind: 'prompt' }, { kind: 'value' }, end('done'));

  assert.deepEqual(await collect(feed.follow(run, 2, never)), ['3 value', '4 end']);
  assert.deepEqual(await collect(feed.follow(run, 99, never)), []);
});

test('lines that another process writes are seen without a word from it', async (t) => {
  const { feed, run, write } = open(t);
  const seen = collect(feed.follow(run, 0, never));
  await new Promise((resolve) => setTimeout(resolve, 120));
  write({ kind: 'accepted' }, end('failed'));

  assert.deepEqual(await seen, ['1 accepted', '2 end']);
});

test('parts of a text stand between the request and the answer of their turn, whatever comes first', async (t) => {
  const { feed, run, write } = open(t);
  const seen: string[] = [];
  const all = (async () => {
    for await (const { type, data } of feed.follow(run, 0, never)) {
      seen.push(`${type} ${(data as { delta?: string }).delta ?? ''}`.trim());
      if (type === 'model.request') feed.publish(run, { type: 'text', delta: 'part' });
      if (type === 'text' && seen.length === 4) write({ kind: 'model.answer', turn: 1 });
      if (type === 'model.answer') {
        feed.publish(run, { type: 'text', delta: 'too late' });
        write(end('done'));
      }
    }
  })();
  feed.publish(run, { type: 'turn', turn: 1 });
  feed.publish(run, { type: 'text', delta: 'early' });
  write({ kind: 'accepted' }, { kind: 'model.request', turn: 1 });
  await all;

  assert.deepEqual(seen, ['accepted', 'model.request', 'text early', 'text part', 'model.answer', 'end']);
});

test('a part of a text says how much of its turn came before, also what nobody listened to', async (t) => {
  const { feed, run, write } = open(t);
  feed.publish(run, { type: 'turn', turn: 1 });
  feed.publish(run, { type: 'text', delta: '12345' });
  write({ kind: 'accepted' }, { kind: 'model.request', turn: 1 });
  const events = feed.follow(run, 2, never);
  const first = events.next();
  await new Promise((resolve) => setTimeout(resolve, 20));
  feed.publish(run, { type: 'text', delta: '678' });

  const part = { turn: 1, at: 5, delta: '678' };
  assert.deepEqual((await first).value, { type: 'text', data: part, json: JSON.stringify(part) });
  await events.return(undefined);
});

test('a torn last line is not told until it is whole, and one that is cut off is never told', async (t) => {
  const { feed, run, file, write } = open(t);
  write({ kind: 'accepted' });
  const seen = collect(feed.follow(run, 0, never));
  fs.appendFileSync(file, '{"kind":"torn');
  await new Promise((resolve) => setTimeout(resolve, 120));
  fs.truncateSync(file, fs.readFileSync(file).lastIndexOf(10) + 1);
  write({ kind: 'resumed' }, end('done'));

  assert.deepEqual(await seen, ['1 accepted', '2 resumed', '3 end']);
});

test('what a holder wrote after it had lost the run is left out', async (t) => {
  const { feed, run, write } = open(t);
  write(
    { kind: 'accepted', fence: 1 },
    { kind: 'resumed', fence: 2 },
    { kind: 'result', fence: 1 },
    { kind: 'value' },
    { ...end('done'), fence: 2 },
  );

  assert.deepEqual(await collect(feed.follow(run, 0, never)), ['1 accepted', '2 resumed', '5 end']);
});

test('a waiting run is not over for a listener, and is settled for who waits', async (t) => {
  const { feed, run, write } = open(t);
  write({ kind: 'accepted' }, end('waiting'));

  assert.equal((await feed.waitUntilSettled(run, never))?.state, 'waiting');
  const seen = collect(feed.follow(run, 0, never));
  write({ kind: 'resumed' }, end('done'));
  assert.deepEqual(await seen, ['1 accepted', '2 end', '3 resumed', '4 end']);
  assert.equal((await feed.waitUntilSettled(run, never))?.output, 'the output');
});

test('a run that ended without a journal ends its listeners too', async (t) => {
  const { feed, run, rows } = open(t);
  rows.set(run.run, { state: 'failed', reason: 'its agent is gone' });

  assert.deepEqual(await collect(feed.follow(run, 0, never)), ['end']);
  assert.equal((await feed.waitUntilSettled(run, never))?.reason, 'its agent is gone');
});

test('an ended row does not end a run that is being resumed', async (t) => {
  const { feed, run, rows, write } = open(t);
  rows.set(run.run, { state: 'cancelled', reason: '' });
  write({ kind: 'accepted' }, end('cancelled'), { kind: 'resumed' });
  const seen = collect(feed.follow(run, 0, never));
  await new Promise((resolve) => setTimeout(resolve, 20));
  rows.set(run.run, { state: 'running', reason: '' });
  write(end('done'));

  assert.deepEqual(await seen, ['1 accepted', '2 end', '3 resumed', '4 end']);
});

test('a listener that fell far behind still gets every line, from the file', async (t) => {
  const { feed, run, write } = open(t);
  write({ kind: 'accepted' });
  const slow = feed.follow(run, 0, never);
  const fast = collect(feed.follow(run, 0, never));
  assert.equal((await slow.next()).value?.seq, 1);
  write(...Array.from({ length: 2000 }, () => ({ kind: 'value', value: 'x'.repeat(50) })), end('done'));
  await fast;

  const lines = await collect(slow);
  assert.equal(lines.length, 2001);
  assert.equal(lines.at(-1), '2002 end');
  assert.equal((await fast).length, 2002);
});

test('a signal ends a listener and leaves nothing behind', async (t) => {
  const { feed, run, write } = open(t);
  write({ kind: 'accepted' });
  const stop = new AbortController();
  const listeners = Array.from({ length: 50 }, () => feed.follow(run, 0, stop.signal));
  const waiting = feed.waitUntilSettled(run, stop.signal);
  const first = await Promise.all(listeners.map(async (one) => await one.next()));
  assert.ok(first.every(({ value }) => value?.type === 'accepted'));
  assert.equal(feed.followed, 1);
  const second = Promise.all(listeners.map(async (one) => await one.next()));
  stop.abort();

  assert.ok((await second).every(({ done }) => done === true));
  assert.equal(await waiting, undefined);
  assert.equal(feed.followed, 0);
});

test('whoever waits for a run of this process is told its end without a journal, and nothing is kept of any', async (t) => {
  const { feed, rows } = open(t);

  for (let count = 0; count < 20; count += 1) {
    const run = { tenant: parseTenantId('default'), run: newRunId(Date.now()) };
    rows.set(run.run, { state: 'running', reason: '' });
    const waiting = [1, 2].map(async () => await feed.waitUntilSettled(run, never));
    assert.equal(feed.followed, 1);
    feed.publish(run, { type: 'turn', turn: 1 });
    feed.publish(run, { type: 'run.ended', state: 'done', reason: 'it ended', output: 'the output' });

    assert.deepEqual(
      await Promise.all(waiting),
      [1, 2].map(() => ({ state: 'done', reason: 'it ended', output: 'the output' })),
    );
    assert.equal(feed.followed, 0);
  }
});

test('the end of a run that another process works on is read when its row has it, or when nothing is heard for long', async (t) => {
  for (const state of ['done', 'running'] as const) {
    const { feed, run, rows, write } = open(t);
    rows.set(run.run, { state: 'running', reason: '' });
    const keepAlive = setTimeout(() => {}, 60_000);
    const waiting = feed.waitUntilSettled(run, never);
    write({ kind: 'accepted' }, end('done'));
    rows.set(run.run, { state, reason: '' });

    assert.deepEqual([(await waiting)?.state, (await waiting)?.output], ['done', 'the output']);
    clearTimeout(keepAlive);
    assert.equal(feed.followed, 0);
  }
});

test('a signal ends the waiting for a run that nobody ends', async (t) => {
  const { feed, run, rows } = open(t);
  rows.set(run.run, { state: 'running', reason: '' });
  const stop = new AbortController();
  const waiting = feed.waitUntilSettled(run, stop.signal);
  stop.abort();

  assert.equal(await waiting, undefined);
  assert.equal(await feed.waitUntilSettled(run, stop.signal), undefined);
  assert.equal(feed.followed, 0);
});
