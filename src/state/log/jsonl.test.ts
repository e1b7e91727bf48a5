import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runChild, startChild } from '../../../test/run-child.ts';
import { openLog } from '../open-log.ts';
import { readLogTail } from '../read-log.ts';
import { listSegments } from '../segments.ts';
import { diskIo, type AppendIo } from './append-file.ts';
import { testLog } from './conformance.ts';

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'log-')), 'log');
}

/** The disk, until the given call; then full (writes) or broken (syncs). */
function failingIo(step: 'write' | 'half-write' | 'sync', fromCall: number): AppendIo {
  let calls = 0;
  return {
    write: (fd, bytes) => {
      if (step !== 'sync' && (calls += 1) >= fromCall) {
        if (step === 'half-write' && calls === fromCall) return diskIo.write(fd, bytes.subarray(0, 4));
        throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      }
      return diskIo.write(fd, bytes);
    },
    sync: (fd, done) => {
      if (step === 'sync' && (calls += 1) >= fromCall) done(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
      else diskIo.sync(fd, done);
    },
    syncInPlace: (fd) => {
      if (step === 'sync' && (calls += 1) >= fromCall) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
      diskIo.syncInPlace(fd);
    },
    truncate: (fd, size) => diskIo.truncate(fd, size),
  };
}

testLog('jsonl', async () => {
  const dir = scratch();
  let syncs = 0;
  const counting: AppendIo = {
    ...diskIo,
    sync: (fd, done) => {
      syncs += 1;
      diskIo.sync(fd, done);
    },
    syncInPlace: (fd) => {
      syncs += 1;
      diskIo.syncInPlace(fd);
    },
  };
  return {
    open: (failing) =>
      openLog({
        driver: 'jsonl',
        dir,
        maxSegmentBytes: 500,
        io: failing === undefined ? counting : failingIo(failing.step, failing.fromCall),
      }),
    stored: async () =>
      listSegments(dir)
        .map(({ file }) => fs.readFileSync(file, 'utf8'))
        .join(''),
    tear: async (bytes) => fs.appendFileSync(listSegments(dir).at(-1)!.file, bytes),
    syncs: () => syncs,
  };
});

test('a segment that has reached its size is followed by the next one', async () => {
  const dir = scratch();
  await using log = await openLog({ driver: 'jsonl', dir, maxSegmentBytes: 10 });

  for (const line of ['0123456789', 'b', 'c', '0123456789', 'e']) await log.append(line);

  assert.deepEqual(
    listSegments(dir).map(({ name, file }) => [name, fs.readFileSync(file, 'utf8')]),
    [
      ['000001.jsonl', '0123456789\n'],
      ['000002.jsonl', 'b\nc\n0123456789\n'],
      ['000003.jsonl', 'e\n'],
    ],
  );
});

test('an empty last segment, which a crash in a rotation leaves, does not hide the last line', async () => {
  const dir = scratch();
  {
    await using log = await openLog({ driver: 'jsonl', dir });
    await log.append('last');
  }
  fs.writeFileSync(path.join(dir, '000002.jsonl'), '');

  await using log = await openLog({ driver: 'jsonl', dir });

  assert.equal(log.lastLine, 'last');
  await log.append('next');
  assert.equal(fs.readFileSync(path.join(dir, '000002.jsonl'), 'utf8'), 'next\n');
});

test('looking at the tail cuts nothing', async () => {
  const dir = scratch();
  {
    await using log = await openLog({ driver: 'jsonl', dir });
    await log.append('é'.repeat(100_000));
  }
  fs.appendFileSync(path.join(dir, '000001.jsonl'), 'torn');
  const before = fs.readFileSync(path.join(dir, '000001.jsonl'));

  const tail = readLogTail(dir);

  assert.equal(tail.lastLine, 'é'.repeat(100_000));
  assert.equal(tail.torn.toString(), 'torn');
  assert.deepEqual(fs.readFileSync(path.join(dir, '000001.jsonl')), before);
});

test('a writer that is killed loses nothing that it was told is durable', async () => {
  const dir = scratch();
  const child = startChild(
    `import { openLog } from ${JSON.stringify(path.join(import.meta.dirname, '..', 'open-log.ts'))};
     import fs from 'node:fs';
     const log = await openLog({ driver: 'jsonl', dir: ${JSON.stringify(dir)}, maxSegmentBytes: 5000 });
     for (let i = 0; ; i += 1) { await log.append(String(i).padStart(200, '0')); fs.writeSync(1, i + '\\n'); }`,
  );
  await child.firstLine;
  await new Promise((resolve) => setTimeout(resolve, 150));
  child.kill('SIGKILL');
  const { stdout } = await child.ended;
  const acknowledged = Number(stdout.trimEnd().split('\n').at(-1));

  await using log = await openLog({ driver: 'jsonl', dir });

  assert.ok(Number(log.lastLine) >= acknowledged, `${log.lastLine} after ${acknowledged}`);
  const lines = listSegments(dir).flatMap(({ file }) =>
    fs
      .readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .filter((line) => line !== ''),
  );
  assert.deepEqual(
    lines.map(Number),
    Array.from({ length: lines.length }, (_, index) => index),
  );
});

test('on a disk that is really full the append rejects and the log is whole', async (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'full-'));
  const mounted = await runChild(
    `import { spawnSync } from 'node:child_process'; process.exit(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', ${JSON.stringify(dir)}]).status ?? 1);`,
  );
  if (mounted.code !== 0) {
    t.skip('a tmpfs cannot be mounted here');
    return;
  }
  try {
    const log = await openLog({ driver: 'jsonl', dir: path.join(dir, 'log') });
    let good = 0;
    await assert.rejects(
      async () => {
        for (; good < 1000; good += 1) await log.append('x'.repeat(1500));
      },
      { code: 'state.append-failed', message: /ENOSPC/ },
    );
    await log[Symbol.asyncDispose]();

    const text = fs.readFileSync(path.join(dir, 'log', '000001.jsonl'), 'utf8');
    assert.equal(text.length, good * 1501);
    assert.ok(good > 10);
  } finally {
    await runChild(`import { spawnSync } from 'node:child_process'; spawnSync('umount', [${JSON.stringify(dir)}]);`);
  }
});
