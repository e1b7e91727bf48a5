import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { LedgerEvent } from '../contracts/ledger.ts';
import { openLedger } from './ledger.ts';
import { encodeRecord } from './ledger/frame.ts';
import { loadSigningKey } from './ledger/signing-key.ts';
import { parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { verifyLedger } from './verify-ledger.ts';

const at = '2026-01-02T03:04:05.678Z';

function event(call: string): LedgerEvent {
  return { type: 'tool.intent', at, run: 'run_1', session: 'ses_1', agent: 'scout', call, tool: 'fs.read', request: 'a'.repeat(64) };
}

interface Made {
  readonly root: string;
  readonly dir: string;
  readonly keyFile: string;
}

/** A closed ledger of two streams, the first with three segments and several checkpoints. */
async function makeLedger(): Promise<Made> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'verify-'));
  const options = {
    dir: path.join(root, 'ledger'),
    keyFile: path.join(root, 'keys', 'ledger.pem'),
    clock: { now: () => Date.parse(at) },
    maxSegmentBytes: 1200,
  };
  await using first = await openLedger(options);
  await using second = await openLedger(options);
  for (let index = 0; index < 10; index += 1) await first.append(event(`a${index}`));
  await first.checkpoint();
  for (let index = 0; index < 3; index += 1) await second.append(event(`b${index}`));
  return { root, dir: options.dir, keyFile: options.keyFile };
}

function linesOf(file: string): string[] {
  return fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

function writeLines(file: string, lines: readonly string[]): void {
  fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
}

function replaceIn(file: string, from: string | RegExp, to: string): void {
  const text = fs.readFileSync(file, 'utf8');
  const changed = text.replace(from, to);
  assert.notEqual(changed, text);
  fs.writeFileSync(file, changed);
}

test('a ledger that nobody touched is valid, also by its public key and by the schemas', async () => {
  const { dir, keyFile } = await makeLedger();

  const report = await verifyLedger(dir, { publicKey: loadSigningKey(keyFile).publicKey, schema: true });

  assert.deepEqual(report.problems, []);
  assert.equal(report.ok, true);
  assert.deepEqual(report.notices, []);
  assert.deepEqual(
    report.streams.map(({ stream, segments }) => [stream, segments > 2]),
    [
      ['s01', true],
      ['s02', false],
    ],
  );
  assert.equal(report.rows, 10 + 1 + 3 + 1);
});

test('a folder without a ledger is an empty, valid one', async () => {
  const report = await verifyLedger(path.join(os.tmpdir(), 'no-such-ledger'));

  assert.deepEqual([report.ok, report.rows], [true, 0]);
});

const seg1 = 's01/000001.jsonl';
const seg2 = 's01/000002.jsonl';
const checkpoints = 'checkpoints.jsonl';

/** Every row is one way to tamper, where it is reported, and what is said. */
const tamperings: readonly (readonly [name: string, tamper: (made: Made) => void, file: string, message: RegExp])[] = [
  ['a changed byte in a payload', ({ dir }) => replaceIn(path.join(dir, seg1), '"call":"a1"', '"call":"a7"'), seg1, /record 2 was changed/],
  ['a changed hash', ({ dir }) => replaceIn(path.join(dir, seg1), /"hash":"./, '"hash":"X'), seg1, /not a record/],
  [
    'a changed record whose hash was computed again',
    ({ dir }) => {
      const file = path.join(dir, seg1);
      const lines = linesOf(file);
      const { prev } = JSON.parse(lines[1]!) as { prev: string };
      writeLines(file, lines.with(1, encodeRecord(2, prev, event('forged')).line));
    },
    seg1,
    /record 3 does not follow the one before/,
  ],
  [
    'an inserted record',
    ({ dir }) => writeLines(path.join(dir, seg1), [...linesOf(path.join(dir, seg1)), encodeRecord(4, 'b'.repeat(64), event('x')).line]),
    seg1,
    /./,
  ],
  [
    'a repeated record',
    ({ dir }) =>
      writeLines(
        path.join(dir, seg1),
        linesOf(path.join(dir, seg1)).flatMap((line, index) => (index === 1 ? [line, line] : [line])),
      ),
    seg1,
    /record 2 stands behind record 2/,
  ],
  [
    'a deleted record',
    ({ dir }) => writeLines(path.join(dir, seg1), linesOf(path.join(dir, seg1)).toSpliced(1, 1)),
    seg1,
    /record 3 follows record 1: 1 between them are missing/,
  ],
  [
    'the first record deleted',
    ({ dir }) => writeLines(path.join(dir, seg1), linesOf(path.join(dir, seg1)).toSpliced(0, 1)),
    seg1,
    /missing/,
  ],
  [
    'two records in the other order',
    ({ dir }) => {
      const lines = linesOf(path.join(dir, seg1));
      writeLines(path.join(dir, seg1), [lines[1]!, lines[0]!, ...lines.slice(2)]);
    },
    seg1,
    /record 2 follows record 0/,
  ],
  [
    'a cut tail',
    ({ dir }) => {
      const last = fs
        .readdirSync(path.join(dir, 's01'))
        .filter((name) => name.endsWith('.jsonl'))
        .toSorted()
        .at(-1)!;
      fs.rmSync(path.join(dir, 's01', last));
    },
    seg2,
    /was signed by checkpoint \d+, but stream s01 ends at record \d+: its tail was cut off/,
  ],
  [
    'a cut tail of a stream with one segment',
    ({ dir }) => writeLines(path.join(dir, 's02/000001.jsonl'), linesOf(path.join(dir, 's02/000001.jsonl')).slice(0, 2)),
    's02/000001.jsonl',
    /tail was cut off/,
  ],
  ['a missing segment', ({ dir }) => fs.rmSync(path.join(dir, seg2)), seg2, /the segment is missing/],
  [
    'a renamed segment',
    ({ dir }) => fs.renameSync(path.join(dir, seg2), path.join(dir, 's01/000002.jsonl.old')),
    seg2,
    /the segment is missing/,
  ],
  [
    'a repeated segment',
    ({ dir }) => fs.copyFileSync(path.join(dir, seg1), path.join(dir, 's01/000099.jsonl')),
    's01/000099.jsonl',
    /stands behind record/,
  ],
  ['an emptied segment', ({ dir }) => fs.truncateSync(path.join(dir, seg2)), seg2, /holds no record, but another follows/],
  [
    'two segments exchanged',
    ({ dir }) => {
      fs.renameSync(path.join(dir, seg1), path.join(dir, 'x'));
      fs.renameSync(path.join(dir, seg2), path.join(dir, seg1));
      fs.renameSync(path.join(dir, 'x'), path.join(dir, seg2));
    },
    seg1,
    /follows record 0/,
  ],
  ['a removed stream', ({ dir }) => fs.rmSync(path.join(dir, 's02'), { recursive: true }), 's02', /was signed, but its folder is gone/],
  [
    'two streams exchanged',
    ({ dir }) => {
      fs.renameSync(path.join(dir, 's01'), path.join(dir, 'x'));
      fs.renameSync(path.join(dir, 's02'), path.join(dir, 's01'));
      fs.renameSync(path.join(dir, 'x'), path.join(dir, 's02'));
    },
    's01/000001.jsonl',
    /does not follow/,
  ],
  [
    'a stream that nobody announced',
    ({ dir }) => {
      fs.mkdirSync(path.join(dir, 's03'));
      fs.copyFileSync(path.join(dir, 's02/000001.jsonl'), path.join(dir, 's03/000001.jsonl'));
    },
    's03',
    /no checkpoint names it/,
  ],
  ['all checkpoints removed', ({ dir }) => fs.rmSync(path.join(dir, checkpoints)), 's01', /no checkpoint names it/],
  [
    'the last checkpoint removed',
    ({ dir }) => writeLines(path.join(dir, checkpoints), linesOf(path.join(dir, checkpoints)).slice(0, -1)),
    's02/000001.jsonl',
    /that this record names is not in checkpoints.jsonl|tail/,
  ],
  [
    'a checkpoint in the middle removed',
    ({ dir }) => writeLines(path.join(dir, checkpoints), linesOf(path.join(dir, checkpoints)).toSpliced(1, 1)),
    checkpoints,
    /does not follow the one before/,
  ],
  [
    'a forged signature',
    ({ dir }) => replaceIn(path.join(dir, checkpoints), /"signature":"\w{8}/, '"signature":"00000000'),
    checkpoints,
    /its signature is not of the key/,
  ],
  [
    'a checkpoint by another key',
    ({ dir, root }) => {
      const file = path.join(dir, checkpoints);
      const lines = linesOf(file);
      const last = parseCheckpoint(lines.at(-1)!);
      assert(typeof last !== 'string');
      writeLines(file, lines.with(lines.length - 1, signCheckpoint(last, loadSigningKey(path.join(root, 'thief', 'key')))));
    },
    checkpoints,
    /was signed by the key \w{64}, not by/,
  ],
  [
    'bytes behind the last record',
    ({ dir }) => fs.appendFileSync(path.join(dir, 's02/000001.jsonl'), 'x'),
    's02/000001.jsonl',
    /no crash leaves/,
  ],
  ['bytes behind the last checkpoint', ({ dir }) => fs.appendFileSync(path.join(dir, checkpoints), 'x'), checkpoints, /no crash leaves/],
  [
    'a file without newlines',
    ({ dir }) => fs.appendFileSync(path.join(dir, 's02/000001.jsonl'), 'x'.repeat(5_000_000)),
    's02/000001.jsonl',
    /longer than any record/,
  ],
];

for (const [name, tamper, file, message] of tamperings) {
  test(`tampering: ${name} is found, and its place is named`, async () => {
    const made = await makeLedger();
    assert.equal((await verifyLedger(made.dir)).ok, true);

    tamper(made);
    const report = await verifyLedger(made.dir);

    assert.equal(report.ok, false);
    assert.ok(
      report.problems.some((problem) => problem.file === file && message.test(problem.message)),
      JSON.stringify(report.problems, undefined, 1),
    );
  });
}

test('tampering: any change of one byte in any file of records or checkpoints is found', async () => {
  const { dir } = await makeLedger();
  const files = [
    checkpoints,
    ...fs.readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => /^s\d+\/\d+\.jsonl$/.test(name)),
  ];
  const originals = new Map(files.map((file) => [file, fs.readFileSync(path.join(dir, file))]));
  const bytes = files.flatMap((file) => Array.from({ length: originals.get(file)!.length }, (_, index) => ({ file, index })));

  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (place, xor) => {
      const { file, index } = bytes[place]!;
      const changed = Buffer.from(originals.get(file)!);
      changed[index] = changed[index]! ^ xor;
      fs.writeFileSync(path.join(dir, file), changed);
      const { ok } = await verifyLedger(dir);
      fs.writeFileSync(path.join(dir, file), originals.get(file)!);
      assert.equal(ok, false, `${file} at ${index} xor ${xor}`);
    }),
    { numRuns: 400 },
  );
});

test('tampering: a change of the last byte of any file is found, whatever it becomes', async () => {
  const { dir } = await makeLedger();
  for (const file of [checkpoints, seg1, 's02/000001.jsonl']) {
    const original = fs.readFileSync(path.join(dir, file));
    for (let value = 0; value < 256; value += 1) {
      if (value === 10) continue;
      const changed = Buffer.from(original);
      changed[changed.length - 1] = value;
      fs.writeFileSync(path.join(dir, file), changed);
      assert.equal((await verifyLedger(dir)).ok, false, `${file} ends in ${value}`);
    }
    fs.writeFileSync(path.join(dir, file), original);
  }
});

test('a whole ledger that was set back is found by an exported checkpoint, and only by it', async () => {
  const { root, dir, keyFile } = await makeLedger();
  const backup = path.join(root, 'backup');
  fs.cpSync(dir, backup, { recursive: true });
  {
    await using ledger = await openLedger({ dir, keyFile, clock: { now: () => Date.parse(at) } });
    await ledger.append(event('later'));
  }
  const exported = linesOf(path.join(dir, checkpoints)).at(-1)!;
  assert.equal((await verifyLedger(dir, { checkpoint: exported })).ok, true);

  fs.rmSync(dir, { recursive: true });
  fs.cpSync(backup, dir, { recursive: true });

  assert.equal((await verifyLedger(dir)).ok, true);
  const report = await verifyLedger(dir, { checkpoint: exported });
  assert.equal(report.ok, false);
  assert.match(
    report.problems.map(({ message }) => message).join('\n'),
    /is not among the checkpoints[^]*was signed by the exported checkpoint/,
  );
});

test('a whole ledger that was written anew with another key is found by the public key', async () => {
  const { dir, keyFile } = await makeLedger();
  const forged = await makeLedger();
  fs.rmSync(dir, { recursive: true });
  fs.cpSync(forged.dir, dir, { recursive: true });

  assert.equal((await verifyLedger(dir)).ok, true);
  assert.equal((await verifyLedger(dir, { publicKey: loadSigningKey(keyFile).publicKey })).ok, false);
});

test('an exported checkpoint that is not one, or of another ledger, is a problem', async () => {
  const { dir } = await makeLedger();
  const other = await makeLedger();

  assert.equal((await verifyLedger(dir, { checkpoint: 'nonsense' })).ok, false);
  assert.equal((await verifyLedger(dir, { checkpoint: linesOf(path.join(other.dir, checkpoints)).at(-1)! })).ok, false);
});

for (const [name, tear] of [
  ['the beginning of the next record', (line: string) => line.slice(0, 60)],
  ['the next record without its newline', (line: string) => line],
  ['zeros', () => '\0'.repeat(100)],
  ['the beginning of a record and zeros', (line: string) => line.slice(0, 120) + '\0'.repeat(50)],
] as const) {
  test(`a crash is not tampering: ${name} behind the last record is a notice`, async () => {
    const { dir } = await makeLedger();
    const { streams } = await verifyLedger(dir);
    const { seq, hash } = streams[1]!.head;

    fs.appendFileSync(path.join(dir, 's02/000001.jsonl'), tear(encodeRecord(seq + 1, hash, event('torn')).line));
    const report = await verifyLedger(dir);

    assert.deepEqual(report.problems, []);
    assert.match(report.notices.join(), /unfinished/);
  });
}

test('a crash is not tampering: an empty last segment and a torn checkpoint are no problem', async () => {
  const { dir } = await makeLedger();
  fs.writeFileSync(path.join(dir, 's02/000002.jsonl'), '');
  fs.appendFileSync(path.join(dir, checkpoints), '{"at":"2026-01-02T03:0');

  const report = await verifyLedger(dir);

  assert.deepEqual(report.problems, []);
  assert.match(report.notices.join(), /checkpoint is unfinished/);
});

test('a record that does not match its schema is found when schemas are asked for', async () => {
  const { root } = await makeLedger();
  const dir = path.join(root, 'ledger');
  const { streams } = await verifyLedger(dir);
  const { seq, hash } = streams[1]!.head;
  fs.appendFileSync(path.join(dir, 's02/000001.jsonl'), `${encodeRecord(seq + 1, hash, { ...event('x'), extra: 1 } as never).line}\n`);

  assert.equal((await verifyLedger(dir)).ok, true);
  const report = await verifyLedger(dir, { schema: true });
  assert.match(report.problems[0]?.message ?? '', /does not match the schema of tool.intent/);
});

test('problems are counted without end and kept up to a limit', async () => {
  const { dir } = await makeLedger();
  fs.writeFileSync(path.join(dir, 's02/000001.jsonl'), 'rubbish\n'.repeat(1000));

  const report = await verifyLedger(dir);

  assert.ok(report.problemCount >= 1000);
  assert.ok(report.problems.length <= 200);
});
