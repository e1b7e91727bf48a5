import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { LedgerEventOf } from '../contracts/ledger.ts';
import { diskIo } from '../state/open-log.ts';
import { runChild, startChild } from '../../test/run-child.ts';
import { exportLedger } from './export-ledger.ts';
import { isClaimAlive, openLedger, type LedgerOptions } from './ledger.ts';
import { loadSigningKey } from './ledger/signing-key.ts';
import { verifyLedger } from './verify-ledger.ts';

const at = '2026-01-02T03:04:05.678Z';
const clock = { now: () => Date.parse(at) };

function event(call: string): LedgerEventOf<'tool.intent'> {
  return { type: 'tool.intent', at, run: 'run_1', session: 'ses_1', agent: 'scout', call, tool: 'fs.read', request: 'a'.repeat(64) };
}

function scratch(): LedgerOptions & { readonly root: string } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'ledger-'));
  return { root, dir: path.join(root, 'ledger'), keyFile: path.join(root, 'keys', 'ledger.pem'), clock };
}

function linesOf(file: string): string[] {
  return fs.readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

/** A program that opens the ledger, appends for ever and prints the seq of every acknowledged record. */
function writerProgram({ dir, keyFile }: LedgerOptions): string {
  return `import { openLedger } from ${JSON.stringify(path.join(import.meta.dirname, 'ledger.ts'))};
    import fs from 'node:fs';
    const ledger = await openLedger({ dir: ${JSON.stringify(dir)}, keyFile: ${JSON.stringify(keyFile)}, clock: { now: () => Date.now() }, maxSegmentBytes: 20_000, checkpointRecords: 50 });
    fs.writeSync(1, ledger.stream + ' ' + ledger.claimId + '\\n');
    for (let i = 0; ; i += 1) {
      const { seq } = await ledger.append({ type: 'tool.intent', at: new Date().toISOString(), run: 'run_1', session: 'ses_1', agent: 'scout', call: 'c' + i, tool: 'fs.read', request: 'a'.repeat(64) });
      fs.writeSync(1, seq + '\\n');
    }`;
}

test('a record has the frame that the contract draws, and its position is returned', async () => {
  const options = scratch();
  await using ledger = await openLedger(options);

  const first = await ledger.append(event('c1'));
  const second = await ledger.append(event('c2'));

  const [line1 = '', line2 = ''] = linesOf(path.join(options.dir, 's01/000001.jsonl'));
  assert.match(line1, /^\{"seq":1,"prev":"[0-9a-f]{64}","type":"tool.intent","at":"2026-01-02T03:04:05.678Z",.*,"hash":"[0-9a-f]{64}"\}$/);
  assert.equal(JSON.parse(line2).prev, first.hash);
  assert.deepEqual(second, { stream: 's01', seq: 2, hash: JSON.parse(line2).hash });
});

test('old lines are byte-identical after new ones, and the writer has no way to change them', async () => {
  const options = scratch();
  let before = '';
  for (let round = 0; round < 3; round += 1) {
    await using ledger = await openLedger(options);
    await ledger.append(event(`${round}`));
    const now = fs.readFileSync(path.join(options.dir, 's01/000001.jsonl'), 'utf8');
    assert.ok(now.startsWith(before));
    before = now;
  }
  await using ledger = await openLedger(options);
  assert.deepEqual(
    Object.getOwnPropertyNames(Object.getPrototypeOf(ledger)).filter((name) => /update|delete|remove|write/i.test(name)),
    [],
  );
});

test('an event that does not match its schema is a bug and is not stored', async () => {
  const options = scratch();
  await using ledger = await openLedger(options);

  assert.throws(() => void ledger.append({ ...event('x'), extra: true } as never), { name: 'AssertionError' });
  assert.throws(() => void ledger.append({ type: 'toString', at } as never), { name: 'AssertionError' });
  assert.throws(() => void ledger.append({ ...event('x'), call: 'y'.repeat(70_000) }), { name: 'AssertionError' });

  await ledger.append(event('good'));
  assert.equal(linesOf(path.join(options.dir, 's01/000001.jsonl')).length, 1);
});

test('two processes at once get a stream each, and the ledger of both is valid', async () => {
  const options = scratch();
  const children = [startChild(writerProgram(options)), startChild(writerProgram(options)), startChild(writerProgram(options))];
  const streams = (await Promise.all(children.map(({ firstLine }) => firstLine))).map((line) => line.split(' ')[0]);
  await new Promise((resolve) => setTimeout(resolve, 200));

  const whileWriting = await verifyLedger(options.dir);

  for (const child of children) child.kill('SIGKILL');
  await Promise.all(children.map(({ ended }) => ended));
  assert.deepEqual(streams.toSorted(), ['s01', 's02', 's03']);
  assert.deepEqual(whileWriting.problems, []);
  assert.deepEqual((await verifyLedger(options.dir, { schema: true })).problems, []);
});

test('a writer that is killed leaves every acknowledged record, and its stream goes on', async () => {
  const options = scratch();
  const child = startChild(writerProgram(options));
  await child.firstLine;
  await new Promise((resolve) => setTimeout(resolve, 200));
  child.kill('SIGKILL');
  const acknowledged = Number((await child.ended).stdout.trimEnd().split('\n').at(-1));

  const after = await verifyLedger(options.dir);
  await using ledger = await openLedger(options);
  await ledger.append(event('next'));

  assert.ok(after.streams[0]!.head.seq >= acknowledged);
  assert.deepEqual(after.problems, []);
  assert.equal(ledger.stream, 's01');
  assert.deepEqual((await verifyLedger(options.dir)).problems, []);
});

test('a torn last record is cut off, recorded and said', async () => {
  const options = scratch();
  {
    await using ledger = await openLedger(options);
    await ledger.append(event('c1'));
  }
  const file = path.join(options.dir, 's01/000001.jsonl');
  const { seq, hash } = JSON.parse(linesOf(file).at(-1)!);
  fs.appendFileSync(file, `{"seq":${seq + 1},"prev":"${hash}","type":"tool.in`);

  await using ledger = await openLedger(options);

  assert.match(ledger.notices.join(), /torn by a crash .* bytes were cut off/);
  const last = JSON.parse(linesOf(file).at(-1)!);
  assert.equal(last.type, 'ledger.recovered');
  assert.equal(last.droppedBytes, `{"seq":${seq + 1},"prev":"${hash}","type":"tool.in`.length);
  assert.deepEqual((await verifyLedger(options.dir, { schema: true })).problems, []);
});

const damages: readonly (readonly [name: string, damage: (dir: string) => void])[] = [
  [
    'whose last record was changed',
    (dir) =>
      fs.writeFileSync(
        path.join(dir, 's01/000001.jsonl'),
        fs
          .readFileSync(path.join(dir, 's01/000001.jsonl'), 'utf8')
          .replace(/hash":"(.)([^"]*)"\}\n$/, 'hash":"0$2"}\n')
          .replace(/"checkpoint":"./, '"checkpoint":"x'),
      ),
  ],
  [
    'that was cut behind a signed record',
    (dir) => fs.writeFileSync(path.join(dir, 's01/000001.jsonl'), `${linesOf(path.join(dir, 's01/000001.jsonl'))[0]}\n`),
  ],
  [
    'whose last newline was changed',
    (dir) =>
      fs.writeFileSync(path.join(dir, 's01/000001.jsonl'), `${fs.readFileSync(path.join(dir, 's01/000001.jsonl'), 'utf8').trimEnd()}X`),
  ],
  ['whose folder was removed', (dir) => fs.rmSync(path.join(dir, 's01'), { recursive: true })],
];
for (const [name, damage] of damages) {
  test(`a stream ${name} is not continued and not repaired: it stays as evidence, and records go to another`, async () => {
    const options = scratch();
    {
      await using ledger = await openLedger(options);
      await ledger.append(event('c1'));
      await ledger.append(event('c2'));
    }
    damage(options.dir);
    const file = path.join(options.dir, 's01/000001.jsonl');
    const before = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;

    {
      await using ledger = await openLedger(options);
      await ledger.append(event('c3'));
      assert.equal(ledger.stream, 's02');
    }

    assert.equal(fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined, before);
    assert.equal((await verifyLedger(options.dir)).ok, false);
  });
}

test('checkpoints that cannot be continued stop the ledger: nobody signs what was forged', async () => {
  const options = scratch();
  {
    await using ledger = await openLedger(options);
    await ledger.append(event('c1'));
  }
  const file = path.join(options.dir, 'checkpoints.jsonl');
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/"seq":1/, '"seq":0'));

  await assert.rejects(openLedger(options), { code: 'governance.checkpoint-damaged', remedy: 'ask-human' });
});

test('another key does not go on with the checkpoints of the first', async () => {
  const options = scratch();
  {
    await using ledger = await openLedger(options);
    await ledger.append(event('c1'));
  }

  const other = path.join(options.root, 'keys', 'other.pem');

  await assert.rejects(openLedger({ ...options, keyFile: other }), { code: 'governance.ledger-key-lost' });
  assert.equal(fs.existsSync(other), false);
  loadSigningKey(other);
  await assert.rejects(openLedger({ ...options, keyFile: other }), {
    code: 'governance.checkpoint-damaged',
  });
});

test('the key is made for its owner alone, and refused when others may read or replace it', async () => {
  const options = scratch();
  {
    await using ledger = await openLedger(options);
    await ledger.append(event('c1'));
  }
  assert.equal(fs.statSync(options.keyFile).mode & 0o777, 0o600);
  assert.equal(fs.statSync(path.dirname(options.keyFile)).mode & 0o777, 0o700);

  fs.chmodSync(options.keyFile, 0o640);
  await assert.rejects(openLedger(options), { code: 'governance.open-ledger-key' });
  fs.chmodSync(options.keyFile, 0o600);
  fs.chmodSync(path.dirname(options.keyFile), 0o777);
  await assert.rejects(openLedger(options), { code: 'governance.open-ledger-key' });
});

test('a key file that holds no Ed25519 key is refused', async () => {
  const options = scratch();
  fs.mkdirSync(path.dirname(options.keyFile), { mode: 0o700 });
  fs.writeFileSync(options.keyFile, 'not a key', { mode: 0o600 });

  await assert.rejects(openLedger(options), { code: 'governance.no-ledger-key', remedy: 'fix-request' });
});

test('records are signed at closing, after so many records, and when they waited too long', async () => {
  const closed = scratch();
  {
    await using ledger = await openLedger(closed);
    for (let index = 0; index < 5; index += 1) await ledger.append(event(`${index}`));
  }
  assert.equal((await verifyLedger(closed.dir)).streams[0]?.signedSeq, 5);

  const counted = { ...scratch(), checkpointRecords: 10 };
  await using byCount = await openLedger(counted);
  for (let index = 0; index < 25; index += 1) await byCount.append(event(`${index}`));
  await byCount.checkpoint();
  assert.ok(linesOf(path.join(counted.dir, 'checkpoints.jsonl')).length >= 3);

  const timed = { ...scratch(), checkpointMs: 5 };
  await using byTime = await openLedger(timed);
  await byTime.append(event('x'));
  for (let waits = 0; waits < 200 && linesOf(path.join(timed.dir, 'checkpoints.jsonl')).length < 2; waits += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(linesOf(path.join(timed.dir, 'checkpoints.jsonl')).length, 2);
});

test('a checkpoint that is asked for while one is made covers the records since', async () => {
  const options = scratch();
  {
    await using ledger = await openLedger(options);
    await ledger.append(event('c1'));
    const first = ledger.checkpoint();
    const appended = ledger.append(event('c2'));
    const second = ledger.checkpoint();
    assert.notEqual(await first, await second);
    await appended;
  }

  const { notices, problems } = await verifyLedger(options.dir);

  assert.deepEqual([notices, problems], [[], []]);
});

test('opening and closing without a record writes nothing after the first time', async () => {
  const options = scratch();
  await (await openLedger(options))[Symbol.asyncDispose]();
  const checkpoints = linesOf(path.join(options.dir, 'checkpoints.jsonl')).length;

  await (await openLedger(options))[Symbol.asyncDispose]();

  assert.equal(linesOf(path.join(options.dir, 'checkpoints.jsonl')).length, checkpoints);
  assert.equal(checkpoints, 1);
});

test('records whose process was killed before a checkpoint are signed by the next one', async () => {
  const options = scratch();
  const child = startChild(writerProgram(options).replace('checkpointRecords: 50', 'checkpointRecords: 1_000_000'));
  await child.firstLine;
  await new Promise((resolve) => setTimeout(resolve, 100));
  child.kill('SIGKILL');
  await child.ended;
  assert.match((await verifyLedger(options.dir)).notices.join(), /not yet signed/);

  await (await openLedger(options))[Symbol.asyncDispose]();

  assert.deepEqual((await verifyLedger(options.dir)).notices, []);
});

test('a claim is alive while its process is, and over when it was killed or closed', async () => {
  const options = scratch();
  const child = startChild(writerProgram(options));
  const claimId = (await child.firstLine).split(' ')[1]!;
  const own = await openLedger(options);

  assert.equal(isClaimAlive(options.dir, claimId), true);
  assert.equal(isClaimAlive(options.dir, own.claimId), true);
  assert.equal(isClaimAlive(options.dir, 'nobody'), false);
  child.kill('SIGKILL');
  await child.ended;
  assert.equal(isClaimAlive(options.dir, claimId), false);
  await own[Symbol.asyncDispose]();
  assert.equal(isClaimAlive(options.dir, own.claimId), false);
});

const noRoom = (syscall: string): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall });

test('on a full disk the append rejects, nothing half is left, and the same ledger goes on when there is room', async () => {
  const options = scratch();
  let isFull = false;
  const io = {
    ...diskIo,
    write: (fd: number, bytes: Uint8Array): number => {
      if (isFull && bytes.length < 100) throw noRoom('write');
      return diskIo.write(fd, isFull ? bytes.subarray(0, 60) : bytes);
    },
  };
  const ledger = await openLedger({ ...options, io });
  await ledger.append(event('before'));

  isFull = true;
  await assert.rejects(ledger.append(event('lost')), { code: 'state.append-failed', remedy: 'retry' });
  isFull = false;
  const after = await Promise.all(['after', 'and', 'again'].map(async (target) => (await ledger.append(event(target))).seq));
  await ledger[Symbol.asyncDispose]();

  assert.deepEqual(after, [2, 3, 4]);
  const report = await verifyLedger(options.dir);
  assert.deepEqual(report.problems, []);
  assert.equal(report.rows, 5);
});

test('while the disk stays full every append rejects, and none of them is in the ledger later', async () => {
  const options = scratch();
  let isFull = true;
  const io = {
    ...diskIo,
    write: (fd: number, bytes: Uint8Array): number => {
      if (isFull) throw noRoom('write');
      return diskIo.write(fd, bytes);
    },
  };
  await using ledger = await openLedger({ ...options, io });

  const lost = await Promise.allSettled([1, 2, 3].map(async (n) => await ledger.append(event(`lost ${n}`))));
  const lostAgain = await Promise.allSettled([4, 5].map(async (n) => await ledger.append(event(`lost ${n}`))));
  isFull = false;
  const { seq } = await ledger.append(event('kept'));

  assert.equal(
    [...lost, ...lostAgain].every(({ status }) => status === 'rejected'),
    true,
  );
  assert.equal(seq, 1);
  await ledger.reopen();
});

test('sabotage: after a failed sync, and when what failed could not be cut off, the ledger takes nothing more', async () => {
  for (const broken of [
    {
      sync: (_fd: number, done: (error: Error | null) => void) => done(noRoom('fdatasync')),
      syncInPlace: () => assert.fail(noRoom('fdatasync')),
    },
    {
      write: (fd: number, bytes: Uint8Array): number => {
        diskIo.write(fd, bytes);
        throw noRoom('write');
      },
      truncate: () => assert.fail('it cannot be cut off'),
    },
  ]) {
    const options = scratch();
    const io = { ...diskIo };
    const ledger = await openLedger({ ...options, io });
    await ledger.append(event('before'));

    Object.assign(io, broken);
    await assert.rejects(ledger.append(event('lost')), { code: 'state.append-failed' });
    Object.assign(io, diskIo);
    await assert.rejects(ledger.append(event('also lost')), { code: 'state.append-failed' });

    await assert.rejects(ledger.reopen(), { code: 'state.append-failed' });
    await ledger[Symbol.asyncDispose]();
  }
});

test('in a home that cannot be written the ledger does not open, says where, and stays readable', async (t) => {
  const options = scratch();
  const home = path.join(options.root, 'home');
  fs.mkdirSync(home);
  const mount = (...argv: string[]): ReturnType<typeof runChild> =>
    runChild(
      `import { spawnSync } from 'node:child_process'; process.exit(spawnSync(${JSON.stringify(argv[0])}, ${JSON.stringify(argv.slice(1))}).status ?? 1);`,
    );
  if ((await mount('mount', '-t', 'tmpfs', 'none', home)).code !== 0) {
    t.skip('a tmpfs cannot be mounted here');
    return;
  }
  try {
    const dir = path.join(home, 'ledger');
    {
      await using ledger = await openLedger({ ...options, dir });
      await ledger.append(event('c1'));
    }
    await mount('mount', '-o', 'remount,ro', home);

    await assert.rejects(openLedger({ ...options, dir }), { remedy: 'retry', message: new RegExp(home) });
    await assert.rejects(openLedger({ ...options, dir: path.join(home, 'other') }), { code: 'state.not-writable', remedy: 'retry' });
    assert.deepEqual((await verifyLedger(dir)).problems, []);
    assert.equal((await exportLedger(dir, path.join(options.root, 'out'))).rows, 2);
  } finally {
    await mount('umount', home);
  }
});

test('two processes that need a key at once use the same one', async () => {
  const options = scratch();
  const program = `import { openLedger } from ${JSON.stringify(path.join(import.meta.dirname, 'ledger.ts'))};
    await using ledger = await openLedger({ dir: ${JSON.stringify(options.dir)}, keyFile: ${JSON.stringify(options.keyFile)}, clock: { now: () => Date.now() } });`;

  const ends = await Promise.all([runChild(program), runChild(program), runChild(program)]);

  assert.deepEqual(
    ends.map(({ code, stderr }) => [code, stderr]),
    [
      [0, ''],
      [0, ''],
      [0, ''],
    ],
  );
  assert.deepEqual((await verifyLedger(options.dir)).problems, []);
});
