import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyPatch } from 'diff';
import { diffText } from './diff-text.ts';

const lines = (count: number, line: (n: number) => string, end = '\n'): string =>
  Array.from({ length: count }, (_, n) => line(n)).join('\n') + end;

const changes: readonly [name: string, before: string, after: string][] = [
  ['one line', 'a\nb\nc\n', 'a\nx\nc\n'],
  ['every line', lines(3000, (n) => `a${n}`), lines(2000, (n) => `b${n}`)],
  ['every line within others', `top\n${lines(3000, (n) => `a${n}`)}end\n`, `top\n${lines(3000, (n) => `b${n}`)}end\n`],
  ['the end of a last line', lines(3000, (n) => `a${n}`, ''), lines(3000, (n) => `b${n}`)],
  ['a long file to nothing', lines(3000, (n) => `a${n}`), ''],
  ['nothing to a long file', '', lines(3000, (n) => `a${n}`, '')],
];
for (const [name, before, after] of changes) {
  test(`a diff says all of a change and nothing else: ${name}`, async () => {
    const patch = await diffText({ path: 'x.md', before, after });

    assert.equal(applyPatch(before, patch), after);
  });
}

test('two files that share lines everywhere are compared in a moment, however long they are', async () => {
  const before = lines(30_000, (n) => `x${n % 2}`);
  const after = lines(30_000, (n) => `x${((n * 7) % 13) % 2}`);

  // The search for the shortest diff would hold the process up for half a minute.
  assert.equal(applyPatch(before, await diffText({ path: 'x.md', before, after })), after);
});
