import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { LedgerEvent } from '../contracts/ledger.ts';
import { openLedger, type LedgerOptions } from './ledger.ts';
import type { LedgerRecord } from './query-ledger.ts';
import { cursorShape, pageLedger, tailPage, type LedgerPageRequest } from './page-ledger.ts';

function second(at: number): number {
  return Date.UTC(2026, 0, 1, 0, 0, at);
}

function event(at: number): LedgerEvent {
  const tool = at === 7 ? 'fs.write' : 'fs.read';
  const inRun = { run: 'run_1', session: 'ses_1', agent: at % 3 === 0 ? 'scribe' : 'scout' };
  return { type: 'tool.intent', at: new Date(second(at)).toISOString(), ...inRun, call: `c${at}`, tool, request: 'a'.repeat(64) };
}

/** Two streams of many small segments whose records alternate in time; the stack closes them. */
async function makeTwo(stack: AsyncDisposableStack, count = 60): Promise<string> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));
  const options: LedgerOptions = {
    dir: path.join(root, 'ledger'),
    keyFile: path.join(root, 'keys', 'k'),
    clock: { now: () => Date.UTC(2026, 0, 1, 1) },
    maxSegmentBytes: 1000,
  };
  const ledgers = [stack.use(await openLedger(options)), stack.use(await openLedger(options))];
  for (let at = 0; at < count; at += 1) await ledgers[at % 2]!.append(event(at));
  return options.dir;
}

interface AllPages {
  readonly calls: readonly string[];
  readonly pages: number;
  readonly empty: number;
}

async function allPages(dir: string, request: LedgerPageRequest): Promise<AllPages> {
  const calls: string[] = [];
  let [pages, empty] = [0, 0];
  for (let cursor: string | undefined; ;) {
    const page = await pageLedger(dir, { ...request, cursor });
    pages += 1;
    if (page.records.length === 0) empty += 1;
    calls.push(...page.records.map(({ event: one }) => (one as { readonly call: string }).call));
    if (page.next === undefined) return { calls, pages, empty };
    assert.match(page.next, cursorShape);
    assert.notEqual(page.next, cursor, 'every page moves on');
    cursor = page.next;
  }
}

const everyCall = Array.from({ length: 60 }, (_, at) => `c${at}`);

test('pages that follow each other’s cursors hold each record once and in order, however little a page reads', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack);

  for (const maxBytes of [1, 1500, 5000, 1e9])
    for (const limit of [1, 7, 60, 500]) {
      const { calls } = await allPages(dir, { filter: {}, limit, maxBytes });
      assert.deepEqual(calls, everyCall, `${maxBytes} bytes, ${limit} records`);
    }
});

test('a rare filter reads a bounded part for each page: some are empty, and the record is found', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack);

  const few = await allPages(dir, { filter: { tool: 'fs.write' }, limit: 10, maxBytes: 1500 });
  const whole = await allPages(dir, { filter: { tool: 'fs.write' }, limit: 10 });
  const none = await allPages(dir, { filter: { run: 'run_2' }, limit: 10, maxBytes: 1500 });

  assert.deepEqual([few.calls, whole.calls, none.calls], [['c7'], ['c7'], []]);
  assert.ok(few.pages > 3 && few.empty > 2, JSON.stringify(few));
  assert.equal(whole.pages, 1);
});

test('from a time on, earlier segments are not even read', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack);
  const filter = { sinceMs: second(50) };

  const { calls, pages } = await allPages(dir, { filter, limit: 100, maxBytes: 6000 });
  const early = await allPages(dir, { filter: { sinceMs: second(0) }, limit: 100, maxBytes: 6000 });

  assert.deepEqual(calls, everyCall.slice(50));
  assert.ok(pages < early.pages, `${pages} of ${early.pages} pages`);
});

test('records that are written between pages come on a later page, also those of a stream that appeared meanwhile', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack, 10);
  const first = await pageLedger(dir, { filter: {}, limit: 10 });
  const part = await pageLedger(dir, { filter: {}, limit: 4 });
  const options = { dir, keyFile: path.join(dir, '../keys/k'), clock: { now: () => 0 }, maxSegmentBytes: 1000 };
  await stack.use(await openLedger(options)).append(event(100));

  const rest = await pageLedger(dir, { filter: {}, limit: 100, cursor: part.next });

  assert.equal(first.records.length, 10);
  assert.equal(rest.records.length, 7);
});

test('a made-up cursor leads nowhere else: into the middle of a line, behind the end, to streams that are not there', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack, 10);

  for (const cursor of ['s01.1.5', 's01.999999.0~s02.999999.0', 's01.1.999999999999', 's99.1.0', 's01.0.0~s01.3.1'])
    assert.ok(
      (await pageLedger(dir, { filter: {}, limit: 100, cursor })).records.every(({ event: one }) => one.type === 'tool.intent'),
      cursor,
    );
  for (const bad of ['../s01.1.0', 's01.1.0/..', 's01.-1.0', 's01.1.1e9', 's01.1', '', 's01.1.0~', 'S01.1.0'])
    assert.doesNotMatch(bad, cursorShape);
});

function callOf({ event: one }: LedgerRecord): string {
  return (one as { readonly call: string }).call;
}

test('from the newest back, pages hold each record once, in order, whatever fits into one', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack);

  for (const [maxBytes, limit] of [
    [1e9, 1],
    [1e9, 7],
    [1e9, 60],
    [1e9, 500],
    [5000, 3],
    [3000, 500],
    [1500, 7],
  ] as const) {
    const pages: string[][] = [];
    let cursor: string | undefined;
    do {
      const { records, next } = await tailPage(dir, { filter: {}, limit, maxBytes, cursor });
      assert.ok(records.length <= limit);
      if (next !== undefined) assert.match(next, cursorShape);
      pages.unshift(records.map(callOf));
      cursor = next;
    } while (cursor !== undefined);
    const calls = pages.flat();
    assert.deepEqual(calls.toSorted(), everyCall.toSorted(), `${maxBytes} bytes, ${limit} records`);
    if (maxBytes === 1e9) assert.deepEqual([calls, pages.length], [everyCall, Math.ceil(everyCall.length / limit)]);
  }
});

test('the newest are found among the last bytes, and the cursor leads to what was not looked at', async () => {
  await using stack = new AsyncDisposableStack();
  const dir = await makeTwo(stack);
  const tail = async (request: LedgerPageRequest): Promise<readonly [readonly string[], boolean]> => {
    const { records, next } = await tailPage(dir, request);
    return [records.map(callOf), next === undefined];
  };

  assert.deepEqual(await tail({ filter: {}, limit: 3 }), [['c57', 'c58', 'c59'], false]);
  assert.deepEqual(await tail({ filter: { tool: 'fs.write' }, limit: 3 }), [['c7'], true]);
  assert.deepEqual(await tail({ filter: { tool: 'fs.write' }, limit: 3, maxBytes: 3000 }), [[], false]);
  assert.deepEqual(await tail({ filter: {}, limit: 3, maxBytes: 3000 }), [['c57', 'c58', 'c59'], false]);
  const [calls] = await tail({ filter: {}, limit: 100, maxBytes: 3333 });
  assert.deepEqual(calls, everyCall.slice(-calls.length), 'what is cut is no record, and none is missing behind it');
  for (const cursor of ['b~s01.1.5', 'b~s01.999999.0~s02.999999.0', 'b~s99.1.0', 'b~s01.0.0~s01.3.1']) {
    const [found] = await tail({ filter: {}, limit: 100, cursor });
    assert.ok(
      found.every((call) => everyCall.includes(call)),
      cursor,
    );
  }
});
