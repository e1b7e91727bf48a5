import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Approval } from '../contracts/approval.ts';
import { refusedApprover } from './distinct-approver.ts';

const question = { id: 'apr_1', request: { principal: { kind: 'user', id: 'ann' } } } as unknown as Approval;

test('where the configuration wants another person, who asked for a run does not answer its questions', () => {
  const wanted = { distinctApprover: true };

  assert.match(refusedApprover(question, { id: 'ann' }, wanted) ?? '', /ann asked for the run itself/);
  assert.equal(refusedApprover(question, { id: 'bob' }, wanted), undefined);
});

test('sabotage: without the setting, or with it off, one person may do both', () => {
  for (const settings of [undefined, {}, { distinctApprover: false }])
    assert.equal(refusedApprover(question, { id: 'ann' }, settings), undefined);
});
