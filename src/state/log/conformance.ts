import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../log.ts';

export interface LogUnderTest {
  /** Opens the same log again and again. `failing` makes every write or sync fail from the call on that it counts. */
  open(failing?: { readonly step: 'write' | 'half-write' | 'sync'; readonly fromCall: number }): Promise<Log>;
  /** Every byte that is stored. */
  stored(): Promise<string>;
  /** Adds bytes to the end behind the log's back, as a crash would leave them. */
  tear(bytes: string): Promise<void>;
  /** How often bytes were made durable. */
  syncs(): number;
}

/** The contract of Log, sentence by sentence. */
export function testLog(product: string, make: () => Promise<LogUnderTest>): void {
  test(`${product}: lines stand in the order of the calls`, async () => {
    const under = await make();
    await using log = await under.open();

    await Promise.all(Array.from({ length: 100 }, (_, index) => log.append(`line ${index} é`)));

    assert.equal(await under.stored(), Array.from({ length: 100 }, (_, index) => `line ${index} é\n`).join(''));
  });

  test(`${product}: lines appended together are made durable together`, async () => {
    const under = await make();
    await using log = await under.open();

    await Promise.all(Array.from({ length: 100 }, (_, index) => log.append(`${index}`)));

    assert.ok(under.syncs() <= 2, `${under.syncs()} syncs for 100 lines`);
  });

  test(`${product}: a log that is opened again goes on behind its last line`, async () => {
    const under = await make();
    {
      await using log = await under.open();
      assert.equal(log.lastLine, undefined);
      await log.append('one');
      await log.append('two');
    }

    await using log = await under.open();

    assert.equal(log.lastLine, 'two');
    assert.equal(log.droppedBytes, 0);
    await log.append('three');
    assert.equal(await under.stored(), 'one\ntwo\nthree\n');
  });

  test(`${product}: old lines are byte-identical after new ones, also across a rotation`, async () => {
    const under = await make();
    let before = '';
    for (let round = 0; round < 5; round += 1) {
      await using log = await under.open();
      for (let index = 0; index < 20; index += 1) await log.append(`${round}-${index} ${'x'.repeat(30)}`);
      const now = await under.stored();
      assert.ok(now.startsWith(before));
      before = now;
    }
    assert.equal(before.split('\n').length, 101);
  });

  test(`${product}: a last line that a crash tore is cut off when the log is opened`, async () => {
    const under = await make();
    {
      await using log = await under.open();
      await log.append('whole');
    }
    await under.tear('half a li');

    await using log = await under.open();

    assert.equal(log.droppedBytes, 9);
    assert.equal(log.lastLine, 'whole');
    await log.append('next');
    assert.equal(await under.stored(), 'whole\nnext\n');
  });

  for (const step of ['write', 'half-write', 'sync'] as const) {
    test(`${product}: when a line cannot be made durable (${step}), its append and every later one reject, and nothing of it is left`, async () => {
      const under = await make();
      const log = await under.open({ step, fromCall: 2 });
      await log.append('good');

      const results = await Promise.allSettled([log.append('lost 1'), log.append('lost 2')]);
      const later = await Promise.allSettled([log.append('lost 3')]);

      for (const result of [...results, ...later]) {
        assert.equal(result.status, 'rejected');
        assert.equal((result.reason as { code?: string }).code, 'state.append-failed');
      }
      await log[Symbol.asyncDispose]();
      assert.equal(await under.stored(), 'good\n');
      await using again = await under.open();
      await again.append('better');
      assert.equal(await under.stored(), 'good\nbetter\n');
    });
  }

  test(`${product}: an appender that goes on and on lets timers and other input and output have their turn`, async () => {
    const under = await make();
    await using log = await under.open();
    let isStopped = false;
    const timer = setTimeout(() => (isStopped = true), 20);

    let lines = 0;
    // oxlint-disable-next-line no-unmodified-loop-condition
    while (!isStopped && lines < 100_000) {
      await log.append('x');
      lines += 1;
    }

    clearTimeout(timer);
    assert.ok(isStopped, `${lines} lines without a turn`);
  });

  test(`${product}: a line with a newline in it is refused`, async () => {
    const under = await make();
    await using log = await under.open();

    assert.throws(() => void log.append('two\nlines'), { name: 'AssertionError' });
  });

  test(`${product}: closing waits for what was appended`, async () => {
    const under = await make();
    const log = await under.open();

    const pending = [log.append('a'), log.append('b')];
    await log[Symbol.asyncDispose]();

    await Promise.all(pending);
    assert.equal(await under.stored(), 'a\nb\n');
    await assert.rejects(log.append('c'));
  });
}
