import assert from 'node:assert/strict';
import test from 'node:test';
import * as fc from 'fast-check';
import picomatch from 'picomatch';
import { compileGlob } from './glob.ts';

const cases: readonly [glob: string, matches: readonly string[], skips: readonly string[]][] = [
  ['*.md', ['a.md', 'docs/a.md', '.md'], ['a.md/x', 'a.mdx']],
  ['docs/*.md', ['docs/a.md'], ['a.md', 'docs/b/a.md', 'x/docs/a.md']],
  ['docs/**', ['docs/a', 'docs/a/b', 'docs'], ['doc/a']],
  ['**/a.md', ['a.md', 'x/a.md', 'x/y/a.md'], ['x/aa.md']],
  ['src/**/*.ts', ['src/a.ts', 'src/x/y/a.ts'], ['a.ts', 'src/a.js']],
  ['*.{ts,js}', ['a.ts', 'x/a.js'], ['a.tsx']],
  ['{a,b{c,d}}', ['a', 'bc', 'x/bd'], ['b']],
  ['a?c', ['abc'], ['ac', 'a/c']],
  ['/docs', ['docs'], ['x/docs']],
  ['a[b]c', ['a[b]c'], ['abc']],
  ['a.c', ['a.c'], ['abc']],
  ['{', ['{'], ['a']],
];
for (const [glob, matches, skips] of cases) {
  test(`the glob ${glob} covers ${matches.join(', ')} and not ${skips.join(', ')}`, () => {
    const covers = compileGlob(glob);

    assert.ok(covers !== undefined);
    for (const path of matches) assert.ok(covers(path), path);
    for (const path of skips) assert.ok(!covers(path), path);
  });
}

test('a glob with too many alternatives is not compiled', () => {
  assert.equal(compileGlob('{a,b}'.repeat(7)), undefined);
  assert.notEqual(compileGlob('{a,b}'.repeat(6)), undefined);
});

test('a glob made to be slow is answered at once', () => {
  const covers = compileGlob(`${'*a'.repeat(100)}b`);

  assert.equal(covers?.('a'.repeat(1000)), false);
});

// Its general parser: a shortcut that it takes for `*.*` alone wants a letter behind the dot, which no shell does.
test('globs of one name agree with picomatch', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 6 }).filter((text) => !/^\.+$/.test(text));
  const glob = fc
    .string({ unit: fc.constantFrom('a', 'b', '.', '*', '?'), minLength: 1, maxLength: 6 })
    .filter((text) => !/\*\*|^\.+$/.test(text));
  const runs = { numRuns: 2000, examples: [['*.*', 'a.'] as [string, string]] };
  fc.assert(
    fc.property(glob, name, (pattern, text) => {
      assert.equal(
        compileGlob(`./${pattern}`.slice(1))?.(text),
        picomatch.isMatch(text, pattern, { dot: true, fastpaths: false }),
        `${pattern} ${text}`,
      );
    }),
    runs,
  );
});
