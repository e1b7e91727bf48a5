import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixRequestError, RetryableError } from '../../contracts/errors.ts';
import { judgeFailure } from './judge-failure.ts';

test('a run that fails for a file tells its tenant no file and no line, and other failures keep their words', () => {
  for (const code of ['config.invalid', 'governance.looser-layer', 'governance.bad-policy']) {
    const verdict = judgeFailure(new FixRequestError(code, 'policies/platform.yaml:7: rules is wrong.'), 1);
    assert.deepEqual([verdict.kind, JSON.stringify(verdict).includes('platform.yaml')], ['failed', false], code);
  }

  const verdict = judgeFailure(new FixRequestError('worker.session-unknown', 'There is no such session.'), 1);

  assert.deepEqual(verdict, { kind: 'failed', code: 'worker.session-unknown', reason: 'There is no such session.' });
});

test('whatever a task fails of, its tenant is told no place of this machine', () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write '/srv/x/journal.jsonl'"), { code: 'ENOSPC' });
  const failures: readonly (readonly [unknown, RegExp])[] = [
    [new FixRequestError('worker.bad-agent-file', '"/srv/x/SOUL.md" is not a regular file.'), /^A file or folder of this installation/],
    [new RetryableError('state.not-writable', '/srv/x/journal.jsonl cannot be written.'), /^state\.not-writable: A file or folder/],
    [
      new RetryableError('state.not-writable', '/srv/x/journal.jsonl cannot be written.', { cause: full }),
      /^the disk takes nothing \(ENOSPC\)$/,
    ],
    [full, /^the disk takes nothing \(ENOSPC\)$/],
    [new Error("ENOTDIR: not a directory, mkdir '/srv/x'"), /^an error that nobody expected/],
    ['thrown as text with /srv/x', /^an error that nobody expected/],
  ];

  for (const [error, says] of failures) {
    const verdict = judgeFailure(error, 1);
    assert.ok(verdict.kind === 'failed' || verdict.kind === 'back');
    assert.match(verdict.reason, says);
    assert.ok(!JSON.stringify(verdict).includes('/srv'), verdict.reason);
  }
});

test('a run without money waits, uncounted, and longer when the day is used up', () => {
  const delays = ['worker.money-held', 'worker.money-spent'].map((code) => {
    const verdict = judgeFailure(new RetryableError(code, 'no money'), 5);
    assert.ok(verdict.kind === 'back' && verdict.isUncounted === true);
    return verdict.delayMs;
  });

  assert.ok(delays[0]! >= 2000 && delays[0]! <= 4000 && delays[1]! >= 30_000 && delays[1]! <= 60_000, String(delays));
});
