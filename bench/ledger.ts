import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../src/contracts/ids.ts';
import type { LedgerEvent } from '../src/contracts/ledger.ts';
import { openLedger, type Ledger } from '../src/governance/ledger.ts';
import { verifyLedger } from '../src/governance/verify-ledger.ts';
import { openDatabase } from '../src/state/database.ts';
import { openJournal } from '../src/state/journal.ts';
import { openRuns } from '../src/state/runs.ts';

/**
 * Ledger, journal and runs list, on this disk, now: `node bench/ledger.ts [--dir FOLDER] [--rounds N] [--only append,verify,journal,runs]`.
 * Ratios are taken from rounds that alternate between what is compared; the median round counts.
 */
const { values: flags } = parseArgs({
  options: {
    dir: { type: 'string', default: os.tmpdir() },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(flags.rounds);
const root = fs.mkdtempSync(path.join(flags.dir, 'bench-ledger-'));
const rows: string[][] = [];

function event(call: string): LedgerEvent {
  return {
    type: 'tool.intent',
    at: new Date().toISOString(),
    run: 'run_01jgj0000000000000000000aa',
    session: 'ses_01jgj0000000000000000000aa',
    agent: 'scout',
    call,
    tool: 'fs.read',
    request: 'a'.repeat(64),
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

async function perSecond(count: number, work: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1000;
}

function rawAppends(count: number, lineBytes: number): Promise<number> {
  const fd = fs.openSync(path.join(root, `raw-${process.hrtime.bigint()}`), 'a');
  const line = Buffer.alloc(lineBytes, 'x');
  return perSecond(count, () => {
    for (let index = 0; index < count; index += 1) {
      fs.writeSync(fd, line);
      fs.fdatasyncSync(fd);
    }
    fs.closeSync(fd);
  });
}

function appends(ledger: Ledger, appenders: number, each: number): Promise<number> {
  return perSecond(appenders * each, async () => {
    await Promise.all(
      Array.from({ length: appenders }, async (_, appender) => {
        for (let index = 0; index < each; index += 1) await ledger.append(event(`${appender}-${index}`));
      }),
    );
  });
}

async function benchAppend(): Promise<void> {
  const ledger = await openLedger({
    dir: path.join(root, 'ledger'),
    keyFile: path.join(root, 'keys', 'k'),
    clock: { now: () => Date.now() },
  });
  await appends(ledger, 32, 200);
  const alone: number[] = [];
  const raw: number[] = [];
  const many: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    raw.push(await rawAppends(600, 420));
    alone.push(await appends(ledger, 1, 600));
    many.push(await appends(ledger, 32, 400));
  }
  await ledger[Symbol.asyncDispose]();
  rows.push(['raw write + fdatasync, one line', `${median(raw).toFixed(0)} /s`, '']);
  rows.push([
    'ledger append, durable, 1 appender',
    `${median(alone).toFixed(0)} /s`,
    `${median(alone.map((rate, index) => rate / raw[index]!)).toFixed(2)} × raw (target ≥ 0.8)`,
  ]);
  rows.push(['ledger append, durable, 32 appenders', `${median(many).toFixed(0)} /s`, 'target ≥ 25 k/s']);
}

async function benchVerify(): Promise<void> {
  const dir = path.join(root, 'verify');
  {
    await using ledger = await openLedger({ dir, keyFile: path.join(root, 'keys', 'k'), clock: { now: () => Date.now() } });
    for (let batch = 0; batch < 300; batch += 1)
      await Promise.all(Array.from({ length: 1000 }, (_, index) => ledger.append(event(`${batch}-${index}`))));
  }
  const rates: number[] = [];
  let count = 0;
  for (let round = 0; round < rounds; round += 1) {
    const start = performance.now();
    const report = await verifyLedger(dir);
    if (!report.ok) throw new Error('the ledger of the benchmark is not valid');
    count = report.rows;
    rates.push((report.rows / (performance.now() - start)) * 1000);
  }
  rows.push([`verify, ${count} records`, `${median(rates).toFixed(0)} rows/s`, 'target ≥ 500 k rows/s']);
}

async function benchJournal(lonelyInPlace: boolean): Promise<void> {
  const cpu: number[] = [];
  const wall: number[] = [];
  for (let round = 0; round < 50; round += 1) {
    const start = performance.now();
    const before = process.cpuUsage();
    {
      await using journal = await openJournal(path.join(root, 'runs', `run_${String(lonelyInPlace)}_${round}`, 'journal.jsonl'), {
        lonelyInPlace,
      });
      for (let entry = 0; entry < 8; entry += 1) await journal.append({ kind: 'value', name: 'x', value: entry });
    }
    const used = process.cpuUsage(before);
    cpu.push((used.user + used.system) / 1000);
    wall.push(performance.now() - start);
  }
  const how = lonelyInPlace ? 'synced in place' : 'synced by another thread';
  rows.push([
    `journal of a run: open, 8 durable entries, close; ${how}`,
    `${median(cpu).toFixed(2)} ms CPU`,
    `${median(wall).toFixed(2)} ms wall`,
  ]);
}

function fillRuns(file: string, from: number, to: number): void {
  const tenant = parseTenantId('default');
  const agents = ['scout', 'scribe', 'small-box'].map(parseAgentId);
  const states = ['done', 'failed', 'cancelled', 'waiting'] as const;
  using database = openDatabase(file);
  const own = openRuns(database);
  for (let at = from; at < to; at += 10_000) {
    database.transact(() => {
      for (let index = at; index < at + 10_000; index += 1) {
        const createdMs = 1_767_225_600_000 + index;
        own.insert({
          id: newRunId(createdMs),
          session: newSessionId(createdMs),
          tenant,
          agent: agents[index % 3]!,
          state: index % 1000 === 0 ? 'waiting' : states[index % 3]!,
          door: 'cli',
          model: 'openai/gpt-4o-mini',
          inputPreview: 'Read the repository and write a report about what could be better in it.',
          reason: '',
          createdMs,
          turns: 3,
          toolCalls: 5,
          inputTokens: 1000,
          outputTokens: 200,
        });
      }
    });
  }
}

function benchRuns(): void {
  const file = path.join(root, 'state.db');
  using database = openDatabase(file);
  const runs = openRuns(database);
  const tenant = parseTenantId('default');
  let filled = 0;
  for (const size of [100_000, 1_000_000]) {
    fillRuns(file, filled, size);
    filled = size;
    const middle = newRunId(1_767_225_600_000 + size / 2);
    const pages = [
      { tenant },
      { tenant, before: middle },
      { tenant, agent: parseAgentId('scout') },
      { tenant, state: 'waiting' as const, before: middle },
      { tenant, agent: parseAgentId('nobody'), state: 'done' as const },
      { tenant, state: 'running' as const },
      { state: 'denied' as const },
    ];
    const worst = pages.map((filter) => {
      const times = Array.from({ length: 20 }, () => {
        const start = performance.now();
        runs.list({ ...filter, limit: 50 });
        return performance.now() - start;
      });
      return { first: times[0]!, median: median(times) };
    });
    rows.push([
      `runs list, a page of 50 of ${size} runs`,
      `${Math.max(...worst.map((page) => page.median)).toFixed(2)} ms`,
      `slowest of 7 filters; first time ${Math.max(...worst.map((page) => page.first)).toFixed(2)} ms (target ≤ 20 ms)`,
    ]);
  }
}

try {
  const benches: Readonly<Record<string, () => Promise<void> | void>> = {
    append: benchAppend,
    verify: benchVerify,
    journal: async () => {
      await benchJournal(false);
      await benchJournal(true);
    },
    runs: benchRuns,
  };
  for (const name of flags.only === '' ? Object.keys(benches) : flags.only.split(',')) await benches[name]!();
  console.log(`| what | measured | |\n|---|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`);
} finally {
  fs.rmSync(root, { recursive: true, force: true });
}
