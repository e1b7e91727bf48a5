import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import * as fc from 'fast-check';
import { classifyPath, displayPath, writeFault, type RootName } from './path.ts';

const roots: readonly RootName[] = [
  { name: 'workspace', dir: '/srv/ws', access: 'write' },
  { name: 'agent', dir: '/srv/home/.clawhold/tenants/default/agents/scribe', access: 'write', memory: ['notes'] },
  { name: 'repo', dir: '/srv/repo', access: 'read' },
  { name: 'inner', dir: '/srv/ws/inner', access: 'read' },
];

const accepted: readonly [raw: string, shown: string][] = [
  ['docs/a.md', 'docs/a.md'],
  ['./docs//a.md', 'docs/a.md'],
  ['docs/', 'docs'],
  ['.', '.'],
  ['workspace:docs/a.md', 'docs/a.md'],
  ['workspace:', '.'],
  ['repo:src/a.ts', 'repo:src/a.ts'],
  ['repo:', 'repo:.'],
  ['/srv/ws/docs/a.md', 'docs/a.md'],
  ['/srv/ws', '.'],
  ['/srv/repo/x', 'repo:x'],
  ['/srv/ws/inner/x', 'inner:x'],
  ['/srv/home/.clawhold/tenants/default/agents/scribe/HANDOFF.md', 'agent:HANDOFF.md'],
  ['.gitignore', '.gitignore'],
  ['.github/workflows/ci.yml', '.github/workflows/ci.yml'],
  ['.gitattributes', '.gitattributes'],
  ['.clawholdish', '.clawholdish'],
  ['a b/ü–名.md', 'a b/ü–名.md'],
  ['docs/a:b.md', 'docs/a:b.md'],
  ['100%.md', '100%.md'],
  ['a%20b.md', 'a%20b.md'],
  ['..a/b..c', '..a/b..c'],
  ['agent:SOUL.md', 'agent:SOUL.md'],
  ['agent:memory/notes', 'agent:memory/notes.md'],
  ['agent:memory/notes.md', 'agent:memory/notes.md'],
  ['agent:memory', 'agent:memory'],
  ['agent:', 'agent:.'],
];
for (const [raw, shown] of accepted) {
  test(`the path ${JSON.stringify(raw)} is ${shown}`, () => {
    const at = classifyPath(raw, roots);

    assert.ok(!('outside' in at), 'why' in at ? at.why : '');
    assert.equal(displayPath(at), shown);
  });
}

const refused: readonly [kind: string, ...raws: string[]][] = [
  ['nothing', ''],
  [
    'traversal',
    '..',
    '../x',
    'a/../../etc/passwd',
    'docs/../a.md',
    'a/..',
    './..',
    'repo:../ws/a',
    'workspace:..',
    '/srv/ws/../home',
    './/..//x',
  ],
  [
    'absolute',
    '/etc/passwd',
    '/',
    '//etc/passwd',
    '/srv/wsx/a',
    '/srv',
    'workspace:/etc/passwd',
    'repo://etc',
    '/srv/WS/a',
    '/proc/self/root/etc/passwd',
  ],
  [
    'unknown root',
    'nowhere:x',
    'C:/x',
    'c:x',
    'file:///etc/passwd',
    'AGENT:SOUL.md',
    'http://x/y',
    './nowhere:x',
    ':x',
    'workspace:agent:SOUL.md',
  ],
  ['home', '~', '~/x', '~root/.ssh/id_rsa', 'workspace:~/x'],
  ['NUL and control', 'a\0b', 'a\nb', 'a\tb', 'a\u0085b', 'a\u007fb', '/etc/passwd\0.md'],
  ['bidirectional', 'a\u202eb', 'a\u2066b', 'a\u200fb', 'a\u061cb'],
  ['zero width', 'a\u200bb', 'a\u200db', 'a\ufeffb', 'a\u2060b', 'a\u00adb', 'a\u180eb'],
  ['tag characters', 'a\u{e0041}b', 'a\u{e007f}', 'a\ufe0fb', 'a\u{e0101}b'],
  ['line separators', 'a\u2028b', 'a\u2029b'],
  ['lone surrogates', 'a\ud800b', '\udfff'],
  ['backslash', '..\\x', 'a\\b', '\\\\server\\share', '.git\\config', 'C:\\x'],
  [
    'escaped traversal',
    '%2e%2e/x',
    '..%2fx',
    '%2e%2e%2f',
    '%252e%252e/x',
    '%25252e%25252e/x',
    '.%2e/x',
    'a%2fb',
    'a%5cb',
    'a%00b',
    '%c0%ae%c0%ae/x',
    '%c0%af',
    '%u002e%u002e/x',
    '%uff0e%uff0e/x',
  ],
  ['compatibility traversal', '\uff0e\uff0e/x', '\u2025/x', '.\uff0e/x', 'a\uff0fb', 'a\uff3cb', '\u2024\u2024/x', 'a℀b'],
  ['trailing dots and spaces', 'a./b', 'a /b', ' a', 'a.md.', 'a.md ', '...', 'a/.../b', 'a\u00a0', '\u3000a'],
  [
    'git',
    '.git',
    '.git/config',
    'sub/.git',
    'sub/.GIT/hooks/pre-commit',
    '.Git',
    'repo:.git/config',
    'git~1',
    'GIT~1/config',
    'gi7eba~1',
    '.git::$INDEX_ALLOCATION/config',
    '.git:x',
    '.ｇit/config',
    '.ɢit/../x',
    '.g\u200dit/config',
    '.gi\u0307t',
    '.gı\u0307t',
    '.gİt',
    '.gıt',
    '.%67it/config',
    '%2egit',
    '．git/config',
    '/srv/ws/.git/config',
  ],
  [
    'clawhold',
    '.clawhold',
    '.clawhold/clawhold.yaml',
    'a/.ClawHold',
    '.CLAWHOLD/x',
    'clawho~1',
    '.clawhold:x',
    '.ﬀ/../x',
    '.clawhold./x',
    '.%63lawhold',
    '.0123.clawhold-tmp',
  ],
  ['too long', 'x'.repeat(256), 'é'.repeat(128), 'a/'.repeat(600), 'a/'.repeat(65) + 'b'],
  [
    'not of the agent',
    'agent:agent.yaml',
    'agent:x',
    'agent:soul.md',
    'agent:memory/a/b',
    'agent:memory/Notes',
    'agent:memory/notes.txt',
    'agent:runs',
    'agent:SOUL.md/x',
    'agent:memory/../SOUL.md',
    '/srv/home/.clawhold/tenants/default/agents/scribe/agent.yaml',
    '/srv/home/.clawhold/clawhold.yaml',
  ],
];
for (const [kind, ...raws] of refused) {
  for (const raw of raws) {
    test(`a path is refused (${kind}): ${JSON.stringify(raw.slice(0, 60))}`, () => {
      const at = classifyPath(raw, roots);

      assert.ok('outside' in at, JSON.stringify(at));
      assert.match(at.why, /^[a-z]/);
    });
  }
}

const writes: readonly [raw: string, isAllowed: boolean][] = [
  ['docs/a.md', true],
  ['agent:HANDOFF.md', true],
  ['agent:DEVPLAN.md', true],
  ['agent:memory/notes', true],
  ['agent:memory/other', false],
  ['agent:memory', false],
  ['agent:SOUL.md', false],
  ['agent:RULES.md', false],
  ['agent:TOOLS.md', false],
  ['agent:SPECPLAN.md', false],
  ['repo:src/a.ts', false],
  ['/srv/ws/inner/x', false],
];
for (const [raw, isAllowed] of writes) {
  test(`${raw} ${isAllowed ? 'may' : 'must not'} be written`, () => {
    const at = classifyPath(raw, roots);

    assert.ok(!('outside' in at));
    assert.equal(writeFault(at, roots) === undefined, isAllowed);
  });
}

/** Paths made of the pieces that attacks are made of. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '//',
        'a',
        'docs',
        '.git',
        '.GIT',
        '%2e',
        '%2f',
        '%25',
        '\\',
        ':',
        '~',
        '\0',
        ' ',
        'repo:',
        'agent:',
        '/srv/ws',
        '/srv',
        '\u202e',
        '\uff0e',
        '\uff0f',
        'ı',
        '…',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));

test('no path that is accepted leads outside its root or into a protected folder, however it is decoded', () => {
  fc.assert(
    fc.property(hostile, (raw) => {
      const at = classifyPath(raw, roots);
      if ('outside' in at) return;
      const root = roots.find((candidate) => candidate.name === at.root);
      assert.ok(root !== undefined);
      for (const reading of [at.path, at.path.normalize('NFKC'), decoded(at.path)]) {
        const joined = path.posix.join(root.dir, reading);
        assert.ok(joined === root.dir || joined.startsWith(`${root.dir}/`), joined);
        const beneath = joined.slice(root.dir.length).toLowerCase().split('/');
        assert.ok(!beneath.includes('.git') && !beneath.includes('.clawhold'), joined);
      }
      assert.equal(
        path.posix.join(root.dir, at.path),
        path.posix.normalize(`${root.dir}/${at.path === '.' ? '' : at.path}`).replace(/\/$/, ''),
      );
    }),
    { numRuns: 5000 },
  );
});

test('the shown form of an accepted path is accepted and means the same place', () => {
  fc.assert(
    fc.property(hostile, (raw) => {
      const at = classifyPath(raw, roots);
      if ('outside' in at) return;

      assert.deepEqual(classifyPath(displayPath(at), roots), at);
    }),
    { numRuns: 3000 },
  );
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

test('what lies in a root within a root is named by the inner one only', () => {
  const nested: readonly RootName[] = [
    { name: 'workspace', dir: '/srv/repo/ws', access: 'write' },
    { name: 'agent', dir: '/srv/repo/home/agents/a', access: 'write' },
    { name: 'repo', dir: '/srv/repo', access: 'read' },
    { name: 'vendor', dir: '/srv/repo/ws/vendor', access: 'read' },
  ];

  const named = ['repo:ws/private/x', 'repo:ws', 'vendor/lib.js', 'repo:ws/vendor/lib.js'].map((raw) => classifyPath(raw, nested));

  const why = (place: string): object => ({ outside: true, why: `lies in another root; write it as \`${place}\`` });
  assert.deepEqual(named, [why('private/x'), why('.'), why('vendor:lib.js'), why('vendor:lib.js')]);
  assert.deepEqual(classifyPath('repo:ws2/x', nested), { root: 'repo', path: 'ws2/x' });
});
