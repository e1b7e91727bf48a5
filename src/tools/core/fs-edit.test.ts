import assert from 'node:assert/strict';
import test from 'node:test';
import { createTwoFilesPatch } from 'diff';
import * as fc from 'fast-check';
import { applyPatch } from './apply-patch.ts';
import { replaceTexts } from './replace-text.ts';

const lineEnd = fc.constantFrom('\n', '\r\n');
const word = fc.constantFrom('a', 'b', 'a b', '', '  x', '-- y', '++ z', '@@ 1', 'é', '\ud83d\ude00');
/** Text of lines with one kind of line end, with or without a last one. */
const textOf = (end: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.array(word, { maxLength: 14 }), fc.boolean())
    .map(([lines, ended]) => lines.join(end) + (ended && lines.length > 0 ? end : ''));

test('a diff between any two texts, applied to the first, gives the second', () => {
  const pair = lineEnd.chain((end) => fc.tuple(textOf(end), textOf(end)));
  fc.assert(
    fc.property(pair, fc.integer({ min: 0, max: 4 }), ([before, after], context) => {
      // A text without a line end says nothing about which kind it would have.
      fc.pre(before !== after && before.includes('\n'));
      const patch = createTwoFilesPatch('a/x', 'b/x', before, after, '', '', { context });

      assert.deepEqual(applyPatch(before, patch), { text: after });
    }),
    { numRuns: 2000 },
  );
});

test('a patch applies where its context has moved to, whatever its line ends', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('p', 'q'), { maxLength: 5 }), lineEnd, lineEnd, (above, fileEnd, patchEnd) => {
      const file = [...above, 'one', 'two', 'three', ''].join(fileEnd);
      const patch = ['--- a/x', '+++ b/x', '@@ -1,3 +1,3 @@', ' one', '-two', '+2', ' three', ''].join(patchEnd);

      assert.deepEqual(applyPatch(file, patch), { text: [...above, 'one', '2', 'three', ''].join(fileEnd) });
    }),
  );
});

test('exact replacement changes the found part and not one byte beside it', () => {
  fc.assert(
    fc.property(textOf('\n'), textOf('\r\n'), textOf('\n'), fc.constantFrom('NEW', 'N\nEW', ''), (before, after, mixed, newText) => {
      const text = `${before}<old>${after}${mixed}`;
      const outcome = replaceTexts(text, [{ oldText: '<old>', newText }]);

      assert.ok('text' in outcome);
      assert.ok(outcome.text.startsWith(before) && outcome.text.endsWith(`${after}${mixed}`));
      assert.equal(outcome.text.slice(before.length, outcome.text.length - after.length - mixed.length).replaceAll('\r\n', '\n'), newText);
    }),
  );
});

test('replacements equal those of a plain text without carriage returns', () => {
  fc.assert(
    fc.property(
      textOf('\r\n'),
      fc.constantFrom('a', 'a\nb', 'b', '\n', 'x\n\na'),
      fc.constantFrom('', 'z', 'z\n\nz'),
      (text, oldText, newText) => {
        const plain = text.replaceAll('\r\n', '\n');
        fc.pre(plain.includes(oldText));
        const outcome = replaceTexts(text, [{ oldText, newText, replaceAll: true }]);

        assert.ok('text' in outcome);
        assert.equal(outcome.text.replaceAll('\r\n', '\n'), plain.replaceAll(oldText, newText));
        if (text.includes('\r\n')) assert.doesNotMatch(outcome.text, /(?<!\r)\n/);
      },
    ),
    { numRuns: 1000 },
  );
});

const patches: readonly { name: string; file: string; patch: string; want: string }[] = [
  { name: 'wrong counts in the header do not matter', file: 'a\nb\nc\n', patch: '@@ -1,9 +1,9 @@\n a\n-b\n+B\n', want: 'a\nB\nc\n' },
  {
    name: 'a header without numbers is enough where the context is there once',
    file: 'a\nb\nc\n',
    patch: '@@\n a\n-b\n+B\n c\n',
    want: 'a\nB\nc\n',
  },
  { name: 'an empty context line may have lost its space', file: 'a\n\nc\n', patch: '@@ -1,3 +1,3 @@\n a\n\n-c\n+C\n', want: 'a\n\nC\n' },
  {
    name: 'git’s own headers are read over',
    file: 'a\n',
    patch: 'diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n',
    want: 'b\n',
  },
  { name: 'the last line end stays missing', file: 'a\nb', patch: '@@ -1,2 +1,3 @@\n a\n b\n+c\n', want: 'a\nb\nc' },
  {
    name: 'a last line end is added where the patch says so',
    file: 'a',
    patch: '@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n',
    want: 'a\n',
  },
  {
    name: 'a last line end is taken away where the patch says so',
    file: 'a\n',
    patch: '@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n',
    want: 'a',
  },
  {
    name: 'hunks move together',
    file: 'x\na\nb\nc\nd\n',
    patch: '@@ -1,1 +1,2 @@\n a\n+A\n@@ -3,1 +4,1 @@\n-c\n+C\n',
    want: 'x\na\nA\nb\nC\nd\n',
  },
  { name: 'a removed line that begins with -- is not a header', file: '-- a\nb\n', patch: '@@ -1,2 +1,1 @@\n--- a\n b\n', want: 'b\n' },
  { name: 'a byte order mark stays', file: '\ufeffa\n', patch: '@@ -1 +1 @@\n-a\n+b\n', want: '\ufeffb\n' },
];
for (const { name, file, patch, want } of patches) {
  test(`patch: ${name}`, () => {
    assert.deepEqual(applyPatch(file, patch), { text: want });
  });
}

const refusals: readonly { name: string; file: string; patch: string; code: string; says: RegExp }[] = [
  {
    name: 'context that is not there',
    file: 'a\nb\n',
    patch: '@@ -1,2 +1,2 @@\n a\n-x\n+y\n',
    code: 'edit.not-found',
    says: /The hunk does not apply/,
  },
  {
    name: 'white space that differs',
    file: 'a \nb\n',
    patch: '@@ -1,2 +1,2 @@\n a\n-b\n+y\n',
    code: 'edit.not-found',
    says: /not in the file/,
  },
  {
    name: 'a place that is not the only one',
    file: 'x\na\nb\na\n',
    patch: '@@ -1,1 +1,1 @@\n-a\n+A\n',
    code: 'edit.ambiguous',
    says: /lines 2, 4/,
  },
  {
    name: 'the second hunk only',
    file: 'a\nb\n',
    patch: '@@ -1 +1 @@\n-a\n+A\n@@ -2 +2 @@\n-x\n+y\n',
    code: 'edit.not-found',
    says: /Hunk 2 of 2/,
  },
  {
    name: 'hunks out of order',
    file: 'a\nb\n',
    patch: '@@ -2 +2 @@\n-b\n+B\n@@ -1 +1 @@\n-a\n+A\n',
    code: 'edit.not-found',
    says: /Hunk 2 of 2/,
  },
  { name: 'an insertion without a place', file: 'a\n', patch: '@@\n+x\n', code: 'edit.not-found', says: /no context/ },
  { name: 'an insertion beyond the end', file: 'a\n', patch: '@@ -9,0 +10 @@\n+x\n', code: 'edit.not-found', says: /no context/ },
  { name: 'no hunk', file: 'a\n', patch: '-a\n+b\n', code: 'edit.bad-patch', says: /no hunk/ },
  {
    name: 'two files',
    file: 'a\n',
    patch: '--- a\n+++ b\n@@ -1 +1 @@\n-a\n+b\n--- c\n+++ d\n@@ -1 +1 @@\n-a\n+b\n',
    code: 'edit.bad-patch',
    says: /more than one file/,
  },
  {
    name: 'a deletion',
    file: 'a\n',
    patch: '--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n',
    code: 'edit.bad-patch',
    says: /creates, deletes/,
  },
  {
    name: 'a line that is none',
    file: 'a\n',
    patch: '@@ -1 +1 @@\n-a\n*b\n',
    code: 'edit.bad-patch',
    says: /line 3 of the patch begins with "\*"/,
  },
  {
    name: 'a marker about a last line end that is there',
    file: 'a\n',
    patch: '@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n',
    code: 'edit.not-found',
    says: /does not apply/,
  },
];
for (const { name, file, patch, code, says } of refusals) {
  test(`patch: refused because of ${name}`, () => {
    const outcome = applyPatch(file, patch);

    assert.ok('code' in outcome, JSON.stringify(outcome));
    assert.equal(outcome.code, code);
    assert.match(outcome.problem, says);
  });
}

test('of several replacements all are made, each after the one before, or none', () => {
  assert.deepEqual(
    replaceTexts('a b', [
      { oldText: 'a', newText: 'b' },
      { oldText: 'b b', newText: 'c' },
    ]),
    { text: 'c' },
  );
  assert.ok(
    'code' in
      replaceTexts('a b', [
        { oldText: 'a', newText: 'c' },
        { oldText: 'a', newText: 'd' },
      ]),
  );
  assert.ok('code' in replaceTexts('a', [{ oldText: '', newText: 'd' }]));
  assert.deepEqual(replaceTexts('aXa', [{ oldText: 'a', newText: '$&', replaceAll: true }]), { text: '$&X$&' });
});

test('a patch made to be slow is answered in time linear in the file', () => {
  const file = '\n'.repeat(400_000);
  const patch = `@@ -1,1 +1,1 @@\n${' \n'.repeat(20_000)}-x\n+y\n`;

  assert.ok('code' in applyPatch(file, patch));
});
