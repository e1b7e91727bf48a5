import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskSecret } from './mask-secret.ts';

for (const [value, shown] of [
  // not-a-secret: made up for this test
  ['sk-0123456789abcdefABCD', 'sk-…ABCD'],
  // not-a-secret: made up for this test
  ['sk-proj-0123456789abcdefWXYZ', 'sk-proj-…WXYZ'],
  ['ghp_0123456789abcdefghij', 'ghp_…ghij'],
  ['0123456789abcdef', '…cdef'],
  ['sk-12345678', '…'],
  ['sk-proj-12345', 'sk-proj-…'],
  ['short', '…'],
  ['', '…'],
] as const) {
  test(`a key of ${value.length} letters is shown as ${shown}`, () => {
    assert.equal(maskSecret(value), shown);
  });
}
