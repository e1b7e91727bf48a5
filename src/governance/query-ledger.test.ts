import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import type { LedgerEvent, LedgerEventOf } from '../contracts/ledger.ts';
import { exportLedger } from './export-ledger.ts';
import { followLedger, ledgerEnd } from './follow-ledger.ts';
import { openLedger, type Ledger, type LedgerOptions } from './ledger.ts';
import { readLedger, tailLedger, type LedgerRecord } from './query-ledger.ts';
import { verifyLedger } from './verify-ledger.ts';

function event(second: number, change: Partial<LedgerEventOf<'tool.intent'>> = {}): LedgerEvent {
  const at = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  return {
    type: 'tool.intent',
    at,
    run: 'run_1',
    session: 'ses_1',
    agent: 'scout',
    call: `c${second}`,
    tool: 'fs.read',
    request: 'a'.repeat(64),
    ...change,
  };
}

function scratch(): LedgerOptions & { readonly root: string } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'query-'));
  return {
    root,
    dir: path.join(root, 'ledger'),
    keyFile: path.join(root, 'keys', 'k'),
    clock: { now: () => Date.UTC(2026, 0, 1, 1) },
    maxSegmentBytes: 1000,
  };
}

/** Two streams whose records alternate in time; the stack closes them. */
async function makeTwo(
  stack: AsyncDisposableStack,
): Promise<{ readonly options: LedgerOptions & { readonly root: string }; readonly ledgers: readonly Ledger[] }> {
  const options = scratch();
  const ledgers = [stack.use(await openLedger(options)), stack.use(await openLedger(options))];
  for (let second = 0; second < 10; second += 1) {
    await ledgers[second % 2]!.append(
      event(second, {
        run: second < 5 ? 'run_1' : 'run_2',
        agent: second % 3 === 0 ? 'scribe' : 'scout',
        tool: second === 7 ? 'fs.write' : 'fs.read',
      }),
    );
  }
  return { options, ledgers };
}

function callsOf(records: readonly LedgerRecord[]): number[] {
  return records.flatMap(({ event: found }) => ('call' in found ? [Number(found.call.slice(1))] : []));
}

async function collect(records: AsyncIterable<LedgerRecord>): Promise<LedgerRecord[]> {
  const all: LedgerRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

test('records of all streams come in the order of their times, with their places', async () => {
  await using stack = new AsyncDisposableStack();
  const { options } = await makeTwo(stack);

  const records = await collect(readLedger(options.dir));

  assert.deepEqual(callsOf(records), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(
    records.slice(0, 2).map(({ stream, seq, file, line }) => [stream, seq, file, line]),
    [
      ['s01', 1, 's01/000001.jsonl', 1],
      ['s02', 1, 's02/000001.jsonl', 1],
    ],
  );
  for (const record of records)
    assert.equal(fs.readFileSync(path.join(options.dir, record.file), 'utf8').split('\n')[record.line - 1], record.text);
});

test('every filter holds, and all that are given hold together', async () => {
  await using stack = new AsyncDisposableStack();
  const { options } = await makeTwo(stack);
  const found = async (filter: Parameters<typeof readLedger>[1]): Promise<number[]> =>
    callsOf(await collect(readLedger(options.dir, filter)));
  const second = (at: number): number => Date.UTC(2026, 0, 1, 0, 0, at);

  assert.deepEqual(await found({ run: 'run_1' }), [0, 1, 2, 3, 4]);
  assert.deepEqual(await found({ agent: 'scribe' }), [0, 3, 6, 9]);
  assert.deepEqual(await found({ tool: 'fs.write' }), [7]);
  assert.deepEqual(await found({ sinceMs: second(3), untilMs: second(6) }), [3, 4, 5]);
  assert.deepEqual(await found({ run: 'run_2', agent: 'scribe', sinceMs: second(7) }), [9]);
  assert.deepEqual(await found({ type: 'run.end' }), []);
  assert.deepEqual(await found({ run: 'fs.read' }), []);
});

test('the tail is the last records over all streams, also across segments', async () => {
  await using stack = new AsyncDisposableStack();
  const { options } = await makeTwo(stack);

  assert.deepEqual(callsOf(await tailLedger(options.dir, 4)), [6, 7, 8, 9]);
  assert.deepEqual(callsOf(await tailLedger(options.dir, 2, { agent: 'scribe' })), [6, 9]);
  assert.deepEqual(callsOf(await tailLedger(options.dir, 100)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(await tailLedger(options.dir, 0), []);
  assert.deepEqual(await tailLedger(path.join(options.root, 'nothing'), 5), []);
});

test('damaged lines are left out of a query, and unfinished ones too', async () => {
  await using stack = new AsyncDisposableStack();
  const { options } = await makeTwo(stack);
  const file = path.join(
    options.dir,
    's01',
    fs
      .readdirSync(path.join(options.dir, 's01'))
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted()
      .at(-1)!,
  );
  fs.appendFileSync(file, 'rubbish\n"x"\n{"seq":1');

  assert.deepEqual(callsOf(await collect(readLedger(options.dir))), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('following yields what is written from now on, of streams that appear later too, and ends with its signal', async () => {
  await using stack = new AsyncDisposableStack();
  const { options, ledgers } = await makeTwo(stack);
  const stop = new AbortController();
  const from = await ledgerEnd(options.dir);
  const seen: LedgerRecord[] = [];
  const following = (async () => {
    for await (const record of followLedger(options.dir, { tool: 'fs.read' }, { signal: stop.signal, pollMs: 5, from })) {
      seen.push(record);
      if (seen.length === 12) stop.abort();
    }
  })();

  for (let second = 20; second < 30; second += 1) await ledgers[0]!.append(event(second));
  const third = stack.use(await openLedger(options));
  await third.append(event(40));
  await third.append(event(41, { tool: 'fs.write' }));
  await ledgers[1]!.append(event(42));
  await following;

  assert.deepEqual(
    callsOf(seen).toSorted((a, b) => a - b),
    [20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 40, 42],
  );
  for (const record of seen)
    assert.equal(fs.readFileSync(path.join(options.dir, record.file), 'utf8').split('\n')[record.line - 1], record.text);
});

test('an export is valid by itself and against its checkpoint, also while records are written', async () => {
  await using stack = new AsyncDisposableStack();
  const { options, ledgers } = await makeTwo(stack);
  const stop = new AbortController();
  const writing = (async () => {
    for (let second = 10; !stop.signal.aborted; second += 1) {
      await ledgers[second % 2]!.append(event(second));
      if (second % 7 === 0) await ledgers[second % 2]!.checkpoint();
      await sleep(2);
    }
  })();

  for (let round = 0; round < 5; round += 1) {
    const out = path.join(options.root, `export-${round}`);
    const result = await exportLedger(options.dir, out);
    const checkpoint = fs.readFileSync(result.checkpointFile!, 'utf8').trim();
    const report = await verifyLedger(path.join(out, 'ledger'), { checkpoint });
    assert.deepEqual(report.problems, []);
    assert.equal(report.rows, result.rows);
    assert.deepEqual((await verifyLedger(options.dir, { checkpoint })).problems, []);
  }
  stop.abort();
  await writing;
});
