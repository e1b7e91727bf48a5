import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { newCapture } from './capture.ts';

function capture(maxBytes: number, chunks: readonly string[]): ReturnType<typeof newCapture> {
  const made = newCapture(maxBytes);
  for (const chunk of chunks) made.add(Buffer.from(chunk));
  return made;
}

test('output within the cap is kept whole', () => {
  const kept = capture(10, ['0123', '456789']);

  assert.equal(String(kept.result()), '0123456789');
  assert.equal(kept.cutBytes, 0);
});

test('output beyond the cap keeps its first and last half around a mark that counts what is missing', () => {
  const kept = capture(4, ['ab', 'cdef', 'gh']);

  assert.equal(String(kept.result()), 'ab\n[... 4 bytes cut ...]\ngh');
  assert.equal(kept.cutBytes, 4);
});

test('a cap of zero keeps nothing and says how much there was', () => {
  assert.equal(String(capture(0, ['abc']).result()), '\n[... 3 bytes cut ...]\n');
});

test('however output is cut into chunks, what is kept is the same', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 })), fc.nat(50), (chunks, maxBytes) => {
      const whole = capture(maxBytes, [chunks.join('')]);
      const parts = capture(maxBytes, chunks);

      assert.equal(String(parts.result()), String(whole.result()));
      assert.equal(parts.totalBytes, Buffer.byteLength(chunks.join('')));
    }),
  );
});
