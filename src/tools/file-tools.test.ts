import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sha256, type JsonObject } from '../contracts/json.ts';
import { marker } from '../governance/redact.ts';
import type { ToolPlan, ToolResult } from '../contracts/tool.ts';
import { openRoots, type Roots } from './guard.ts';
import { parseCall } from './parse-call.ts';
import { restoreFile } from './restore-file.ts';
import { targetHash } from './target-hash.ts';
import { openToolSet } from './tool-set.ts';

const { signal } = new AbortController();
const key = 'Kp7Lm2Xv9Rt4Wn8Bs6Dg3Fh5Jc1Ya0Ue';

interface World {
  readonly dir: string;
  readonly roots: Roots;
  readonly call: (name: string, args: JsonObject) => Promise<ToolResult>;
  readonly plan: (name: string, args: JsonObject) => Promise<ToolPlan>;
  readonly perform: (name: string, args: JsonObject, plan: ToolPlan) => Promise<ToolResult>;
  readonly file: (name: string) => string;
}

async function openWorld(t: TestContext): Promise<World> {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-tools-')));
  for (const name of ['ws/docs', 'own/memory', 'repo', 'outside']) fs.mkdirSync(path.join(dir, name), { recursive: true });
  for (const name of [
    'SOUL.md',
    'RULES.md',
    'TOOLS.md',
    'SPECPLAN.md',
    'DEVPLAN.md',
    'HANDOFF.md',
    'agent.yaml',
    'memory/notes.md',
    'memory/other.md',
  ]) {
    fs.writeFileSync(path.join(dir, 'own', name), `${name}\n`);
  }
  fs.writeFileSync(path.join(dir, 'outside/secret'), 'SECRET\n');
  fs.writeFileSync(path.join(dir, 'repo/a.ts'), 'code\n');
  const roots = await openRoots([
    { name: 'workspace', dir: path.join(dir, 'ws'), access: 'write' },
    { name: 'agent', dir: path.join(dir, 'own'), access: 'write', memory: ['notes'] },
    { name: 'repo', dir: path.join(dir, 'repo'), access: 'read' },
  ]);
  t.after(async () => {
    await roots[Symbol.asyncDispose]();
    fs.rmSync(dir, { recursive: true });
  });
  const tools = openToolSet({
    roots,
    clock: { now: () => 0 },
    hide: (text) => text.replaceAll(key, '[redacted:key]').replace(/-----BEGIN[^]*-----END/, '[redacted:private-key]'),
    limits: { readBytes: 1000, writeBytes: 2000, agentFileBytes: 100, listEntries: 20 },
  });
  const parsed = (name: string, args: JsonObject): Exclude<ReturnType<typeof parseCall>, { refused: ToolResult }> => {
    const call = parseCall(tools, { name, argumentsText: JSON.stringify(args) });
    assert.ok('tool' in call, JSON.stringify(call));
    return call;
  };
  return {
    dir,
    roots,
    call: async (name, args) => await parsed(name, args).tool.perform(parsed(name, args).args, { signal }),
    plan: async (name, args) => {
      const plan = await parsed(name, args).tool.plan?.(args, signal);
      assert.ok(plan !== undefined && 'after' in plan, JSON.stringify(plan));
      return plan;
    },
    perform: async (name, args, plan) => await parsed(name, args).tool.perform(args, { signal, plan }),
    file: (name) => fs.readFileSync(path.join(dir, name), 'utf8'),
  };
}

test('fs.read gives the text as it is, with its facts and its origin', async (t) => {
  const { dir, call } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/a.md'), '\ufeffone\r\ntwo');

  const result = await call('fs.read', { path: 'a.md' });

  assert.equal(result.text, '\ufeffone\r\ntwo');
  assert.deepEqual(result.data, { path: 'a.md', bytes: 11, sha256: sha256('\ufeffone\r\ntwo'), lines: 2, truncated: false });
  assert.equal(result.source, 'file:a.md');
});

test('fs.read goes through a long file part by part and says how to read on', async (t) => {
  const { dir, call } = await openWorld(t);
  const lines = Array.from({ length: 300 }, (_, at) => `line ${at + 1}`);
  fs.writeFileSync(path.join(dir, 'ws/long'), `${lines.join('\n')}\n`);

  let read = '';
  for (let offset = 1; ;) {
    const { text, data } = await call('fs.read', { path: 'long', offset });
    const next = /\n\[lines \d+ to \d+ of 300; read on with offset (\d+)\]$/.exec(text);
    read += text.slice(0, next?.index);
    if (next === null) {
      assert.equal(data?.['truncated'], false);
      break;
    }
    assert.equal(data?.['truncated'], true);
    offset = Number(next[1]);
  }

  assert.equal(read, `${lines.join('\n')}\n`);
  assert.match((await call('fs.read', { path: 'long', offset: 10, limit: 2 })).text, /^line 10\nline 11\n\n\[lines 10 to 11 of 300/);
});

test('fs.read cuts a line that is larger than the limit at a whole character, and says so', async (t) => {
  const { dir, call } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/wide'), 'é'.repeat(700));

  const result = await call('fs.read', { path: 'wide' });

  assert.match(result.text, /^é{500}\n\[line 1 is longer/);
  assert.equal(result.data?.['truncated'], true);
});

const unreadable: readonly [name: string, bytes: Buffer, type: string][] = [
  ['a PNG image', Buffer.from('89504e470d0a1a0a00', 'hex'), 'PNG image'],
  ['UTF-16', Buffer.from('fffe68006900', 'hex'), 'UTF-16 text'],
  ['bytes that are not UTF-8', Buffer.from([0x61, 0xff, 0x62]), 'binary data'],
  ['text with NUL', Buffer.from('a\0b'), 'binary data'],
];
for (const [name, bytes, type] of unreadable) {
  test(`fs.read and fs.edit refuse ${name} and say what it is`, async (t) => {
    const { dir, call } = await openWorld(t);
    fs.writeFileSync(path.join(dir, 'ws/x'), bytes);

    const result = await call('fs.read', { path: 'x' });

    assert.equal(result.code, 'fs.binary');
    assert.equal(result.data?.['type'], type);
    assert.equal(result.data?.['bytes'], bytes.length);
    assert.equal((await call('fs.edit', { path: 'x', edits: [{ oldText: 'a', newText: 'b' }] })).code, 'fs.binary');
  });
}

test('fs.read tells an empty file, a folder, a missing file and an offset beyond the end apart', async (t) => {
  const { dir, call } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/empty'), '');

  assert.equal((await call('fs.read', { path: 'empty' })).text, '[the file is empty]');
  assert.equal((await call('fs.read', { path: 'docs' })).code, 'fs.not-a-file');
  assert.equal((await call('fs.read', { path: '.' })).code, 'fs.not-a-file');
  assert.equal((await call('fs.read', { path: 'none' })).code, 'fs.not-found');
  assert.match((await call('fs.read', { path: 'empty', offset: 2 })).text, /has only 0 lines/);
});

test('memory carries its own label', async (t) => {
  const { call } = await openWorld(t);

  assert.equal((await call('fs.read', { path: 'agent:memory/notes' })).source, 'memory:notes');
  assert.equal((await call('fs.read', { path: 'agent:HANDOFF.md' })).source, 'file:agent:HANDOFF.md');
});

test('fs.list names what a tool can use, in order, with sizes, links and escapes', async (t) => {
  const { dir, call } = await openWorld(t);
  for (const name of ['b.md', 'a.md', 'docs/x.md', 'docs/y.ts', 'line\nbreak']) fs.writeFileSync(path.join(dir, 'ws', name), 'abc');
  fs.mkdirSync(path.join(dir, 'ws/.git'));
  fs.symlinkSync('../outside', path.join(dir, 'ws/link'));

  assert.equal(
    (await call('fs.list', {})).text,
    'a.md 3\nb.md 3\ndocs/\nline⟨U+000A⟩break 3 [no tool can use it]\nlink@ [link, not followed]',
  );
  assert.equal((await call('fs.list', { glob: '*.md' })).text, 'a.md 3\nb.md 3\ndocs/x.md 3');
  assert.equal((await call('fs.list', { path: 'docs', glob: '*.{ts,js}' })).text, 'docs/y.ts 3');
  assert.equal((await call('fs.list', { path: 'repo:' })).text, 'repo:a.ts 5');
  assert.equal((await call('fs.list', { path: 'docs', glob: 'none' })).text, '[nothing here]');
  assert.equal((await call('fs.list', { path: 'link' })).code, 'fs.symlink');
  assert.equal((await call('fs.list', { path: 'a.md' })).code, 'fs.not-a-folder');
});

test('fs.list stops at its limit and says so', async (t) => {
  const { dir, call } = await openWorld(t);
  for (let at = 0; at < 50; at += 1) fs.writeFileSync(path.join(dir, `ws/docs/${String(at).padStart(2, '0')}`), '');

  const result = await call('fs.list', { path: 'docs' });

  assert.equal(result.data?.['truncated'], true);
  assert.match(result.text, /docs\/19 0\n\[only the first 20 are shown/);
});

test('a refused path is shown with its hidden characters named', async (t) => {
  const { call } = await openWorld(t);

  assert.match((await call('fs.read', { path: 'a\u202e\u200bb' })).text, /^The path "a⟨U\+202E⟩⟨U\+200B⟩b" contains a control/);
});

test('a change is planned with both hashes, made as planned, and taken back', async (t) => {
  const { dir, roots, plan, perform, file } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/a.md'), 'one\n');
  const args = { path: 'a.md', edits: [{ oldText: 'one', newText: 'two' }] };

  const planned = await plan('fs.edit', args);
  assert.equal(file('ws/a.md'), 'one\n');
  const result = await perform('fs.edit', args, planned);

  assert.deepEqual([planned.target, planned.before, planned.after], ['a.md', sha256('one\n'), sha256('two\n')]);
  assert.equal(result.isError, false);
  assert.equal(file('ws/a.md'), 'two\n');
  assert.equal(targetHash(roots, 'a.md'), planned.after);
  assert.equal(
    await restoreFile(roots, { target: 'a.md', beforeBytes: planned.beforeBytes ?? new Uint8Array(), expect: planned.after }),
    undefined,
  );
  assert.equal(file('ws/a.md'), 'one\n');
});

test('a file that a run created is removed by undo, and only if nobody changed it since', async (t) => {
  const { dir, roots, plan, perform, file } = await openWorld(t);
  const args = { path: 'new/b.md', content: 'b' };
  const planned = await plan('fs.write', args);
  await perform('fs.write', args, planned);
  fs.writeFileSync(path.join(dir, 'ws/new/b.md'), 'someone else');

  const refused = await restoreFile(roots, { target: 'new/b.md', expect: planned.after });
  assert.equal(refused?.refused, 'fs.changed');
  assert.equal(file('ws/new/b.md'), 'someone else');
  fs.writeFileSync(path.join(dir, 'ws/new/b.md'), 'b');

  assert.equal(planned.before, undefined);
  assert.equal(await restoreFile(roots, { target: 'new/b.md', expect: planned.after }), undefined);
  assert.ok(!fs.existsSync(path.join(dir, 'ws/new/b.md')));
  assert.equal((await restoreFile(roots, { target: 'new/b.md', expect: planned.after }))?.refused, 'fs.not-found');
  assert.equal((await restoreFile(roots, { target: '../outside/secret', expect: planned.after }))?.refused, 'fs.outside');
  assert.equal((await restoreFile(roots, { target: 'agent:SOUL.md', expect: planned.after }))?.refused, 'fs.read-only');
});

test('a planned change is refused when the target changed meanwhile, and not repeated when it is already made', async (t) => {
  const { dir, plan, perform, file } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/a.md'), 'one\n');
  const args = { path: 'a.md', content: 'two\n' };
  const planned = await plan('fs.write', args);

  fs.writeFileSync(path.join(dir, 'ws/a.md'), 'third\n');
  assert.equal((await perform('fs.write', args, planned)).code, 'fs.changed');
  assert.equal(file('ws/a.md'), 'third\n');

  fs.writeFileSync(path.join(dir, 'ws/a.md'), 'two\n');
  const { ino } = fs.statSync(path.join(dir, 'ws/a.md'));
  assert.equal((await perform('fs.write', args, planned)).isError, false);
  assert.equal(fs.statSync(path.join(dir, 'ws/a.md')).ino, ino);
});

test('a path with a redaction marker is no path to write to', async (t) => {
  const { call, dir } = await openWorld(t);

  assert.equal((await call('fs.write', { path: `docs/${marker('x')}.md`, content: 'x' })).code, 'fs.redacted');
  assert.deepEqual(fs.readdirSync(path.join(dir, 'ws/docs')), []);
});

test('a plan for another target than the call’s is a bug, not a write', async (t) => {
  const { dir, plan, perform } = await openWorld(t);
  const planned = await plan('fs.write', { path: 'b.md', content: 'b' });

  await assert.rejects(perform('fs.write', { path: 'a.md', content: 'b' }, planned), { code: 'ERR_ASSERTION' });
  assert.deepEqual(fs.readdirSync(path.join(dir, 'ws')), ['docs']);
});

test('a target that became a link is for a human, not "does not exist"', async (t) => {
  const { dir, roots } = await openWorld(t);
  fs.symlinkSync('../outside/secret', path.join(dir, 'ws/a.md'));

  assert.equal(targetHash(roots, 'none'), undefined);
  assert.throws(() => targetHash(roots, 'a.md'), { code: 'tools.target-refused', remedy: 'ask-human' });
  assert.throws(() => targetHash(roots, '../x'), { code: 'tools.target-refused' });
});

test('a redaction marker is never written over the value it hides', async (t) => {
  const { dir, call, file } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/env'), 'KEY=sk-real\n# see [redacted:x] in the manual\n');
  const before = file('ws/env');

  assert.equal((await call('fs.write', { path: 'env', content: `KEY=${marker('openai')}\n` })).code, 'fs.redacted');
  assert.equal(
    (await call('fs.edit', { path: 'env', edits: [{ oldText: 'KEY=', newText: 'KEY=[redacted:openai]' }] })).code,
    'fs.redacted',
  );
  assert.equal((await call('fs.edit', { path: 'env', patch: '@@ -1,1 +1,2 @@\n KEY=sk-real\n+[redacted:y]\n' })).code, 'fs.redacted');
  assert.equal(file('ws/env'), before);
  assert.equal((await call('fs.edit', { path: 'env', edits: [{ oldText: 'KEY=', newText: 'TOKEN=' }] })).isError, false);
});

test('content beyond the limit is refused, with a smaller limit for the agent’s own files', async (t) => {
  const { dir, call } = await openWorld(t);

  assert.equal((await call('fs.write', { path: 'big', content: 'x'.repeat(2001) })).code, 'fs.too-large');
  assert.equal((await call('fs.write', { path: 'agent:HANDOFF.md', content: 'x'.repeat(101) })).code, 'fs.too-large');
  assert.ok(!fs.existsSync(path.join(dir, 'ws/big')));
});

test('an edit that does not apply changes nothing and says where to look', async (t) => {
  const { dir, call, file } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/a.ts'), 'const one = 1;\nconst two = 2;\nconst two = 2;\n');
  const before = file('ws/a.ts');

  const missing = await call('fs.edit', {
    path: 'a.ts',
    edits: [
      { oldText: 'const two', newText: 'x' },
      { oldText: 'const  one = 1;', newText: 'y' },
    ],
  });
  const absent = await call('fs.edit', { path: 'a.ts', edits: [{ oldText: 'const  one = 1;', newText: 'y' }] });
  const patch = await call('fs.edit', { path: 'a.ts', patch: '@@ -1,1 +1,1 @@\n-const one = 2;\n+const one = 3;\n' });

  assert.equal(missing.code, 'edit.ambiguous');
  assert.match(missing.text, /Edit 1 of 2 .* 2 times \(lines 2, 3\)/);
  assert.equal(absent.code, 'edit.not-found');
  assert.match(absent.text, /\n {2}1: const one = 1;/);
  assert.equal(absent.source, 'file:a.ts');
  assert.equal(patch.code, 'edit.not-found');
  assert.match(patch.text, /\n {2}1: const one = 1;/);
  assert.equal((await call('fs.edit', { path: 'a.ts', edits: [{ oldText: 'one', newText: 'one' }] })).code, 'edit.no-change');
  assert.equal((await call('fs.edit', { path: 'none', edits: [{ oldText: 'a', newText: 'b' }] })).code, 'fs.not-found');
  assert.equal(file('ws/a.ts'), before);
});

test('an edit keeps byte order mark, line ends, missing last line end and mode', async (t) => {
  const { dir, call, file } = await openWorld(t);
  fs.writeFileSync(path.join(dir, 'ws/a.sh'), '\ufeffone\r\ntwo\r\nthree', { mode: 0o755 });

  await call('fs.edit', { path: 'a.sh', edits: [{ oldText: 'one\ntwo', newText: '1\n2\n2b' }] });
  assert.equal(file('ws/a.sh'), '\ufeff1\r\n2\r\n2b\r\nthree');
  await call('fs.edit', { path: 'a.sh', patch: '@@ -3,2 +3,3 @@\n 2b\n-three\n+3\n+4\n' });

  assert.equal(file('ws/a.sh'), '\ufeff1\r\n2\r\n2b\r\n3\r\n4');
  assert.equal(fs.statSync(path.join(dir, 'ws/a.sh')).mode & 0o777, 0o755);
});

test('no write tool, by any spelling or link, changes configuration, grants, identity or anything outside', async (t) => {
  const { dir, call } = await openWorld(t);
  const home = path.join(dir, 'ws/.clawhold/tenants/default');
  fs.mkdirSync(home, { recursive: true });
  fs.writeFileSync(path.join(home, 'policy.yaml'), 'old\n');
  fs.mkdirSync(path.join(dir, 'ws/.git'));
  fs.writeFileSync(path.join(dir, 'ws/.git/config'), 'old\n');
  fs.symlinkSync('../own', path.join(dir, 'ws/me'));
  fs.symlinkSync('../own/SOUL.md', path.join(dir, 'ws/soul'));
  fs.linkSync(path.join(dir, 'own/RULES.md'), path.join(dir, 'ws/rules'));
  const guarded = [
    'own/SOUL.md',
    'own/RULES.md',
    'own/TOOLS.md',
    'own/SPECPLAN.md',
    'own/agent.yaml',
    'own/memory/other.md',
    'outside/secret',
    'repo/a.ts',
    'ws/.git/config',
    'ws/.clawhold/tenants/default/policy.yaml',
  ];
  const before = guarded.map((name) => fs.readFileSync(path.join(dir, name), 'utf8'));
  const own = ['SOUL.md', 'RULES.md', 'TOOLS.md', 'SPECPLAN.md', 'agent.yaml', 'memory/other', 'memory/../SOUL.md', './SOUL.md', 'soul.md'];
  const paths = [
    ...own.map((name) => `agent:${name}`),
    ...['own/SOUL.md', 'own/agent.yaml', 'outside/secret'].map((name) => path.join(dir, name)),
    'me/SOUL.md',
    'me/agent.yaml',
    'soul',
    'rules',
    '../own/SOUL.md',
    'docs/../../own/agent.yaml',
    '../outside/secret',
    '%2e%2e/outside/secret',
    '/etc/passwd',
    'repo:a.ts',
    'repo:new.ts',
    '.git/config',
    '.GIT/config',
    '.git/hooks/pre-commit',
    '.clawhold/tenants/default/policy.yaml',
    '.Clawhold/tenants/default/policy.yaml',
  ];

  for (const at of paths) {
    for (const [name, args] of [
      ['fs.write', { path: at, content: 'mine' }],
      ['fs.edit', { path: at, edits: [{ oldText: 'old', newText: 'mine' }] }],
      ['fs.edit', { path: at, patch: '@@ -1 +1 @@\n-old\n+mine\n' }],
    ] as const) {
      const result = await call(name, args);
      assert.equal(result.isError, true, `${name} ${at}`);
    }
  }

  assert.deepEqual(
    guarded.map((name) => fs.readFileSync(path.join(dir, name), 'utf8')),
    before,
  );
  assert.deepEqual(fs.readdirSync(path.join(dir, 'outside')), ['secret']);
  assert.deepEqual(fs.readdirSync(path.join(dir, 'repo')), ['a.ts']);
});

test('the files that are the agent’s to change can be changed', async (t) => {
  const { call, file } = await openWorld(t);

  assert.equal((await call('fs.write', { path: 'agent:HANDOFF.md', content: 'next\n' })).isError, false);
  assert.equal(
    (await call('fs.edit', { path: 'agent:DEVPLAN.md', edits: [{ oldText: 'DEVPLAN.md', newText: '- [x] done' }] })).isError,
    false,
  );
  assert.equal((await call('fs.write', { path: 'agent:memory/notes', content: 'kept\n' })).isError, false);
  assert.deepEqual([file('own/HANDOFF.md'), file('own/DEVPLAN.md'), file('own/memory/notes.md')], ['next\n', '- [x] done\n', 'kept\n']);
});

test('half a secret is not shown: not where a line is cut, nor in the middle of a key, nor in the problem of an edit', async (t) => {
  const { dir, call } = await openWorld(t);
  const put = (name: string, text: string): void => fs.writeFileSync(path.join(dir, 'ws', name), text);
  put('long.txt', `${'x'.repeat(980)}${key}\n`);
  put('key.txt', `before\n-----BEGIN\nline one\nline two\n-----END\nafter\n`);
  put('edit.txt', `the words are these ${'y '.repeat(60)}${key}\n`);

  const long = await call('fs.read', { path: 'long.txt' });
  const part = await call('fs.read', { path: 'key.txt', offset: 2, limit: 2 });
  const edit = await call('fs.edit', { path: 'edit.txt', edits: [{ oldText: `the words are those ${'y '.repeat(60)}`, newText: '' }] });

  for (const { text } of [long, part, edit]) assert.doesNotMatch(text, /Kp7|line one|line two/);
  assert.match(long.text, /x\[redacted/);
  assert.equal(part.text, '[redacted:private-key]\nafter\n');
  assert.match(edit.text, /Most like its first line/);
});
