import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import picomatch from 'picomatch';
import { compileGlob, globMatches, wildcardMatches } from './glob.ts';

function allows(pattern: string, path: string): boolean {
  return globMatches(compileGlob(pattern).alternatives, path === '.' ? [] : path.split('/'));
}
function forbids(pattern: string, path: string): boolean {
  return globMatches(compileGlob(pattern).folded, path === '.' ? [] : path.split('/').map((part) => compileGlobName(part)));
}
function compileGlobName(part: string): string {
  return compileGlob(part.replace(/[*?{}[\]\\]/g, '_')).folded[0]?.segments[0]?.text ?? '';
}

const table: readonly [pattern: string, path: string, matches: boolean][] = [
  ['docs/**', 'docs/a/b.md', true],
  ['docs/**', 'docs', true],
  ['docs/**', 'docs2/a.md', false],
  ['docs/*', 'docs/a.md', true],
  ['docs/*', 'docs/a/b.md', false],
  ['docs/', 'docs', true],
  ['**', '.', true],
  ['**', '.env', true],
  ['*', '.', false],
  ['**/*.md', 'a.md', true],
  ['**/*.md', 'x/y/a.md', true],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/x/y/b', true],
  ['a/**/b', 'a/x/bb', false],
  ['.', '.', true],
  ['?.md', 'é.md', true],
  ['?.md', '😀.md', true],
  ['?.md', 'ab.md', false],
  ['{a,b}/{c,d}.md', 'b/c.md', true],
  ['{a,b{1,2}}', 'b2', true],
  ['{a,b}', 'c', false],
  ['Docs/**', 'docs/a.md', false],
];
for (const [pattern, path, matches] of table) {
  test(`the pattern ${pattern} ${matches ? 'matches' : 'does not match'} ${path}`, () => {
    assert.equal(allows(pattern, path), matches);
  });
}

const refused = [
  '!docs/**',
  'docs/[ab].md',
  'docs\\*',
  '+(a)',
  '../x',
  'a/../b',
  './a',
  'a//b',
  '/etc/**',
  'a**',
  '{a',
  'a}',
  'x\u0000',
  'a'.repeat(2000),
  '',
];
for (const pattern of refused) {
  test(`the pattern ${JSON.stringify(pattern.slice(0, 20))} is refused, because it would mean less than it looks`, () => {
    assert.throws(() => compileGlob(pattern), { code: 'governance.bad-pattern' });
  });
}

test('a brace bomb is refused before it is built', () => {
  assert.throws(() => compileGlob('{a,b}'.repeat(40)), /more than 64 alternatives/);
  assert.throws(() => compileGlob(`{${'a,'.repeat(100)}a}`), /more than 64 alternatives/);
});

test('a name made to make a regular expression backtrack takes few steps', () => {
  const name = `${'a'.repeat(4000)}!`;

  assert.equal(wildcardMatches(`${'*a'.repeat(40)}*b`, name), false);
  assert.equal(allows(`${'**/a/'.repeat(30)}b`, Array.from({ length: 2000 }, () => 'a').join('/')), false);
});

const spellings: readonly [pattern: string, path: string][] = [
  ['**/.env', 'app/.ENV'],
  ['**/.env', '.env.'],
  ['**/.env', '.env '],
  ['**/.env', '.e\u200bnv'],
  ['**/.env', '．env'],
  ['**/straße', 'STRASSE'],
  ['**/kelvin', '\u212aelvin'],
  ['**/é', 'e\u0301'],
];
for (const [pattern, path] of spellings) {
  test(`what forbids ${pattern} also meets ${JSON.stringify(path)}, what allows it does not`, () => {
    assert.equal(forbids(pattern, path), true);
    assert.equal(allows(pattern, path), false);
  });
}

test('a pattern that narrows nothing is known as such', () => {
  for (const pattern of ['**', '*', '**/*', '*.*', '?*', '{a,*}']) assert.equal(compileGlob(pattern).isEverything, true, pattern);
  for (const pattern of ['docs/**', '*.md', 'a*']) assert.equal(compileGlob(pattern).isEverything, false, pattern);
});

test('patterns agree with picomatch, except that a name may begin with a dot', () => {
  const part = fc.constantFrom('a', 'b', 'ab', '*', 'a*', '*b', '?', '**', '{a,b}');
  const name = fc.constantFrom('a', 'b', 'ab', 'ba', 'aab', 'c');
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), fc.array(name, { minLength: 1, maxLength: 4 }), (parts, names) => {
      const pattern = parts.join('/');
      // picomatch reads `**` after another wildcard its own way: `a*/**` does not match `a` there, though `a/**` does.
      fc.pre(!/\*\*\/\*\*|[*?}]\/\*\*$/.test(pattern));
      const expected = picomatch(pattern, { dot: true, noextglob: true })(names.join('/'));
      assert.equal(allows(pattern, names.join('/')), expected, `${pattern} against ${names.join('/')}`);
    }),
    { numRuns: 3000 },
  );
});
