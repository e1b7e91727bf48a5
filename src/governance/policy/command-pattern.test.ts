import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { commandAllowed, commandForbidden, compileCommand, isEveryCommand } from './command-pattern.ts';

const allows = (pattern: string | readonly string[], argv: readonly string[]): boolean => commandAllowed(compileCommand(pattern), argv);
const forbids = (pattern: string, argv: readonly string[]): boolean => commandForbidden(compileCommand(pattern), argv);

const admitted: readonly (readonly [pattern: string | readonly string[], argv: readonly string[]])[] = [
  ['npm test', ['npm', 'test']],
  ['  npm   test ', ['npm', 'test']],
  ['npm run *', ['npm', 'run', 'build']],
  ['git log -n?', ['git', 'log', '-n1']],
  ['git log **', ['git', 'log']],
  ['git log **', ['git', 'log', '--oneline', 'a; b']],
  ['/usr/bin/make *', ['/usr/bin/make', 'all']],
  [
    ['sh', '-c', 'npm test | tail -5'],
    ['sh', '-c', 'npm test | tail -5'],
  ],
  [
    ['echo', ''],
    ['echo', ''],
  ],
  ['**', ['anything', 'at', 'all']],
  ['echo *', ['echo', 'two words\nand a line $(id) `id` "quoted"']],
];

for (const [pattern, argv] of admitted) {
  test(`${JSON.stringify(pattern)} allows ${JSON.stringify(argv)}`, () => {
    assert.ok(allows(pattern, argv));
  });
}

/** Ways around a rule for `npm test`. */
const around: readonly (readonly [name: string, argv: readonly string[]])[] = [
  ['a word more', ['npm', 'test', '--', '--eval']],
  ['a word less', ['npm']],
  ['nothing', []],
  ['both words in one', ['npm test']],
  ['the second word with more in it', ['npm', 'test; rm -rf .']],
  ['a separator as a word', ['npm', 'test', ';', 'id']],
  ['a pipe', ['npm', 'test', '|', 'sh']],
  ['a line break behind', ['npm', 'test\n']],
  ['a line break and a command', ['npm', 'test\nid']],
  ['a line break before', ['\nnpm', 'test']],
  ['a NUL behind', ['npm', 'test\0']],
  ['command substitution', ['npm', '$(echo test)']],
  ['back quotes', ['npm', '`echo test`']],
  ['quotes', ['npm', '"test"']],
  ['a backslash', ['npm', 'te\\st']],
  ['an empty word between', ['npm', '', 'test']],
  ['white space around', ['npm ', ' test']],
  ['env before', ['env', 'npm', 'test']],
  ['an assignment before', ['NODE_OPTIONS=--require=./x', 'npm', 'test']],
  ['env with an assignment', ['env', 'PATH=.', 'npm', 'test']],
  ['sh -c', ['sh', '-c', 'npm test']],
  ['bash -lc', ['bash', '-lc', 'npm test; id']],
  ['xargs', ['xargs', 'npm', 'test']],
  ['find -exec', ['find', '.', '-exec', 'npm', 'test', ';']],
  ['busybox', ['busybox', 'npm', 'test']],
  ['an interpreter', ['node', '-e', 'npm test']],
  ['another interpreter', ['python3', '-c', 'npm test']],
  ['an absolute path', ['/usr/bin/npm', 'test']],
  ['a file of the workspace by its absolute path', ['/workspace/npm', 'test']],
  ['a relative path', ['./npm', 'test']],
  ['a relative path in a folder', ['node_modules/.bin/npm', 'test']],
  ['a parent folder', ['../npm', 'test']],
  ['another case', ['NPM', 'test']],
  ['another case of a word', ['npm', 'Test']],
  ['full-width letters', ['ｎｐｍ', 'test']],
  ['a Cyrillic letter', ['nрm', 'test']],
  ['a character without width', ['npm', 'te\u200bst']],
  ['a decomposed letter', ['npm', 'tést']],
];

for (const [name, argv] of around) {
  test(`"npm test" does not allow ${name}`, () => {
    assert.equal(allows('npm test', argv), false);
  });
}

test('a sign stays within its word, and only a last ** goes on', () => {
  assert.equal(allows('git log *', ['git', 'log']), false);
  assert.equal(allows('git log *', ['git', 'log', 'a', 'b']), false);
  assert.equal(allows('git * origin', ['git', 'push', '--force', 'origin']), false);
  assert.equal(allows('git log **', ['git', '-c', 'core.pager=id', 'log']), false);
  assert.equal(allows('git log **', ['git', 'log2']), false);
});

const refused: readonly (string | readonly string[])[] = [
  'npm test | tail',
  'npm test; id',
  'npm "test"',
  'echo $HOME',
  'npm\ttest',
  'npm\u00a0test',
  'npm te\u200bst',
  '* test',
  'np? test',
  'git ** log',
  'git log*** x',
  './build.sh',
  'bin/build',
  '/usr/../bin/x',
  '/usr//bin/x',
  ['', 'x'],
  ['./x'],
];

for (const pattern of refused) {
  test(`the pattern ${JSON.stringify(pattern)} is refused, because it would mean less than it looks`, () => {
    assert.throws(() => compileCommand(pattern), { code: 'governance.bad-pattern' });
  });
}

test('a denied command is met in other places and spellings, and not inside the text of one word', () => {
  for (const argv of [
    ['curl', 'x'],
    ['/usr/bin/curl'],
    ['env', 'A=1', 'curl', 'x'],
    ['xargs', './curl'],
    ['CURL'],
    ['find', '.', '-exec', 'curl', '{}', ';'],
  ])
    assert.ok(forbids('curl', argv), JSON.stringify(argv));
  assert.ok(forbids('git push', ['git', 'push', '--force']));
  assert.equal(forbids('git push', ['git', 'pull', 'push']), false);
  assert.equal(forbids('curl', ['sh', '-c', 'curl x']), false);
  assert.ok(forbids('**', ['anything']));
});

test('** alone is every command, and nothing else is', () => {
  assert.ok(isEveryCommand(compileCommand('**')));
  assert.equal(isEveryCommand(compileCommand('git **')), false);
});

test('a command that is allowed has the words of its pattern, whatever its own words hold', () => {
  const word = fc.oneof(fc.constantFrom('npm', 'test', 'run', ';', '|', '$(id)', '\n', '', '*', '**', '"', 'npm test'), fc.string());
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (argv) => {
      if (allows('npm test', argv)) assert.deepEqual(argv, ['npm', 'test']);
      if (allows('npm run *', argv)) assert.ok(argv.length === 3 && argv[0] === 'npm' && argv[1] === 'run');
      if (allows('npm run **', argv)) assert.ok(argv[0] === 'npm' && argv[1] === 'run');
    }),
    { numRuns: 2000 },
  );
});
