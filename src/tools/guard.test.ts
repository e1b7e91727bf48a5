import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { sha256 } from '../contracts/json.ts';
import { isRefused, openRoots, type OpenRootsOptions, type Roots } from './guard.ts';
import { openRootMemory } from './root-memory.ts';

type Mode = 'race-free' | 'remembered' | 'best-effort';

/** `remembered`: opened once before with the same memory, as a server does for run after run. */
const modes: readonly Mode[] = process.platform === 'linux' ? ['race-free', 'remembered', 'best-effort'] : ['best-effort'];

/** The roots as a world of that mode opens them. */
async function openAs(mode: Mode, specs: Parameters<typeof openRoots>[0], options: OpenRootsOptions = {}): Promise<Roots> {
  if (mode !== 'remembered') return await openRoots(specs, { ...options, ...(mode === 'best-effort' ? { assurance: mode } : {}) });
  const memory = openRootMemory();
  await (await openRoots(specs, { ...options, memory }))[Symbol.asyncDispose]();
  return await openRoots(specs, { ...options, memory });
}

interface World {
  readonly dir: string;
  readonly ws: string;
  readonly roots: Roots;
}

async function openWorld(t: TestContext, mode: Mode, options: OpenRootsOptions = {}): Promise<World> {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-guard-')));
  for (const name of ['ws/docs', 'outside/sub', 'repo', 'own/memory']) fs.mkdirSync(path.join(dir, name), { recursive: true });
  fs.writeFileSync(path.join(dir, 'ws/docs/a.md'), 'inside');
  fs.writeFileSync(path.join(dir, 'outside/secret'), 'SECRET');
  fs.writeFileSync(path.join(dir, 'outside/sub/secret'), 'SECRET');
  fs.writeFileSync(path.join(dir, 'repo/a.ts'), 'code');
  for (const name of ['SOUL.md', 'HANDOFF.md', 'agent.yaml', 'memory/notes.md']) fs.writeFileSync(path.join(dir, 'own', name), name);
  const roots = await openAs(
    mode,
    [
      { name: 'workspace', dir: path.join(dir, 'ws'), access: 'write' },
      { name: 'agent', dir: path.join(dir, 'own'), access: 'write', memory: ['notes'] },
      { name: 'repo', dir: path.join(dir, 'repo'), access: 'read' },
    ],
    options,
  );
  t.after(async () => {
    await roots[Symbol.asyncDispose]();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  return { dir, ws: path.join(dir, 'ws'), roots };
}

function ws(at: string): { root: string; path: string } {
  return { root: 'workspace', path: at };
}

/** Every operation on one path: what each was refused with, or `done`. */
async function tryAll(roots: Roots, at: { root: string; path: string }): Promise<Record<string, string>> {
  const name = (value: unknown): string => (isRefused(value) ? value.refused : 'done');
  return {
    read: name(roots.read(at)),
    hash: name(roots.hash(at)),
    write: name(await roots.write(at, Buffer.from('written'))),
    remove: name(await roots.remove(at)),
    list: name(roots.list(at, { depth: 3, maxEntries: 10 })),
    within: name(await roots.within(at, async () => 1)),
  };
}

/** A digest of everything below a folder, links not followed: names, kinds, bytes and modes. */
function picture(dir: string): string {
  const lines = fs.readdirSync(dir, { withFileTypes: true }).map((entry) => {
    const file = path.join(dir, entry.name);
    const inside = entry.isDirectory() ? picture(file) : entry.isFile() ? sha256(fs.readFileSync(file)) : '';
    return `${file} ${fs.lstatSync(file).mode} ${inside}`;
  });
  return lines.toSorted().join('\n');
}

for (const mode of modes) {
  test(`${mode}: reads, writes, lists and removes in the workspace, and says its assurance`, async (t) => {
    const { roots, ws: dir } = await openWorld(t, mode);

    assert.equal(roots.assurance, mode === 'best-effort' ? mode : 'race-free');
    assert.deepEqual(roots.read(ws('docs/a.md')), { bytes: Buffer.from('inside'), size: 6 });
    assert.deepEqual(roots.read(ws('docs/a.md'), { start: 2, length: 3 }), { bytes: Buffer.from('sid'), size: 6 });
    assert.deepEqual(await roots.write(ws('new/deep/b.md'), Buffer.from('b')), { created: true });
    assert.deepEqual(await roots.write(ws('new/deep/b.md'), Buffer.from('c')), { created: false });
    assert.equal(fs.readFileSync(path.join(dir, 'new/deep/b.md'), 'utf8'), 'c');
    assert.equal(roots.hash(ws('new/deep/b.md')), sha256('c'));
    const listing = roots.list(ws('.'), { depth: 9, maxEntries: 100 });
    assert.ok(!isRefused(listing));
    assert.deepEqual(
      listing.entries.map((entry) => entry.path),
      ['docs', 'docs/a.md', 'new', 'new/deep', 'new/deep/b.md'],
    );
    assert.deepEqual(await roots.remove(ws('new/deep/b.md'), { expect: sha256('c') }), { removed: true });
    assert.ok(!fs.existsSync(path.join(dir, 'new/deep/b.md')));
  });

  test(`${mode}: no link is followed, whether final, parent, chained, dangling or inside the root`, async (t) => {
    const { roots, dir, ws: work } = await openWorld(t, mode);
    fs.symlinkSync(path.join(dir, 'outside/secret'), path.join(work, 'final'));
    fs.symlinkSync('../outside', path.join(work, 'parent'));
    fs.symlinkSync('parent', path.join(work, 'chained'));
    fs.symlinkSync('../outside/new', path.join(work, 'dangling'));
    fs.symlinkSync('docs', path.join(work, 'inner'));
    fs.symlinkSync('loop', path.join(work, 'loop'));
    fs.symlinkSync('/proc/self/root', path.join(work, 'magic'));
    fs.symlinkSync('..', path.join(work, 'docs/up'));
    const before = picture(dir);

    for (const at of [
      'final',
      'parent',
      'parent/secret',
      'parent/sub/secret',
      'chained/secret',
      'dangling',
      'dangling/x',
      'inner/a.md',
      'inner',
      'loop',
      'magic/etc/passwd',
      'docs/up/docs/a.md',
      'docs/up/new/x',
    ]) {
      const outcome = await tryAll(roots, ws(at));
      assert.ok(!Object.values(outcome).includes('done'), `${at}: ${JSON.stringify(outcome)}`);
      assert.equal(outcome['write'], 'fs.symlink', at);
    }
    assert.equal(picture(dir), before);
    assert.ok(!fs.existsSync(path.join(dir, 'outside/new')));
  });

  test(`${mode}: a file with a second name is neither read nor changed`, async (t) => {
    const { roots, dir, ws: work } = await openWorld(t, mode);
    fs.linkSync(path.join(dir, 'outside/secret'), path.join(work, 'hard'));
    const before = picture(dir);

    const outcome = await tryAll(roots, ws('hard'));

    assert.deepEqual(
      [outcome['read'], outcome['hash'], outcome['write'], outcome['remove']],
      ['fs.hard-link', 'fs.hard-link', 'fs.hard-link', 'fs.hard-link'],
    );
    assert.equal(picture(dir), before);
  });

  test(
    `${mode}: a FIFO, a socket and a device are refused without waiting`,
    { skip: process.platform === 'win32' && 'needs mkfifo' },
    async (t) => {
      const { roots, ws: work } = await openWorld(t, mode);
      execFileSync('mkfifo', [path.join(work, 'fifo')]);
      const server = net.createServer().listen(path.join(work, 'socket'));
      await new Promise((resolve) => server.once('listening', resolve));
      t.after(() => server.close());
      const names = ['fifo', 'socket'];
      try {
        execFileSync('mknod', [path.join(work, 'null'), 'c', '1', '3'], { stdio: 'ignore' });
        names.push('null');
      } catch {
        t.diagnostic('the device is left out: only root can make one');
      }

      for (const name of names) {
        const outcome = await tryAll(roots, ws(name));
        assert.equal(outcome['read'], 'fs.special', name);
        assert.equal(outcome['write'], 'fs.special', name);
        assert.equal(outcome['remove'], 'fs.special', name);
        assert.equal(outcome['list'], 'fs.not-a-folder', name);
      }
    },
  );

  test(`${mode}: protected names are refused even where the caller did not look`, async (t) => {
    const { roots, ws: work } = await openWorld(t, mode);
    for (const name of ['.git', '.GIT', '.clawhold', 'sub/.git']) {
      fs.mkdirSync(path.join(work, name), { recursive: true });
      fs.writeFileSync(path.join(work, name, 'config'), 'x');
    }
    fs.writeFileSync(path.join(work, 'docs/.git'), 'gitdir: ../../outside');
    const before = picture(work);

    for (const at of [
      '.git/config',
      '.GIT/config',
      '.Git/config',
      '.git',
      '.clawhold/config',
      'sub/.git/config',
      'docs/.git',
      'git~1/config',
      '.g\u200dit/config',
      '.git /config',
    ]) {
      const outcome = await tryAll(roots, ws(at));
      assert.ok(
        Object.values(outcome).every((code) => code === 'fs.protected'),
        `${at}: ${JSON.stringify(outcome)}`,
      );
    }
    for (const at of ['../outside/secret', 'docs/../../outside/secret', '/etc/passwd', 'docs//a.md', '', 'a\0b', '..']) {
      const outcome = await tryAll(roots, ws(at));
      assert.ok(
        Object.values(outcome).every((code) => code === 'fs.outside'),
        `${at}: ${JSON.stringify(outcome)}`,
      );
    }
    const listing = roots.list(ws('.'), { depth: 5, maxEntries: 100 });
    assert.ok(!isRefused(listing));
    assert.deepEqual(
      listing.entries.map((entry) => entry.path),
      ['docs', 'docs/a.md', 'sub'],
    );
    assert.equal(picture(work), before);
  });

  test(`${mode}: a protected folder cannot be entered under another name`, async (t) => {
    const home = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-home-')));
    t.after(() => fs.rmSync(home, { recursive: true, force: true }));
    const { roots, dir, ws: work } = await openWorld(t, mode, { protectedDirs: [home] });
    fs.renameSync(home, path.join(work, 'harmless'));
    fs.writeFileSync(path.join(work, 'harmless/clawhold.yaml'), 'version: 1');
    fs.renameSync(path.join(dir, 'own'), path.join(work, 'mine'));
    const before = picture(work);

    for (const at of ['harmless/clawhold.yaml', 'mine/SOUL.md', 'mine/agent.yaml']) {
      const outcome = await tryAll(roots, ws(at));
      assert.ok(!Object.values(outcome).includes('done'), `${at}: ${JSON.stringify(outcome)}`);
    }
    assert.equal(isRefused(roots.list(ws('harmless'), { depth: 1, maxEntries: 10 })), true);
    assert.equal(picture(work), before);
  });

  test(`${mode}: of its own folder an agent has only what exists for it`, async (t) => {
    const { roots, dir } = await openWorld(t, mode);
    const agent = (at: string): { root: string; path: string } => ({ root: 'agent', path: at });
    const before = picture(path.join(dir, 'own'));

    assert.ok(!isRefused(roots.read(agent('SOUL.md'))));
    assert.ok(!isRefused(roots.read(agent('memory/notes.md'))));
    for (const name of ['agent.yaml', 'x', 'memory/x/y', '../ws/docs/a.md'])
      assert.equal((await tryAll(roots, agent(name)))['read'], 'fs.outside', name);
    for (const name of ['SOUL.md', 'RULES.md', 'TOOLS.md', 'SPECPLAN.md', 'agent.yaml', 'memory/other.md', 'x.md', '.']) {
      const outcome = await tryAll(roots, agent(name));
      assert.notEqual(outcome['write'], 'done', name);
      assert.notEqual(outcome['remove'], 'done', name);
    }
    const listing = roots.list(agent('.'), { depth: 3, maxEntries: 10 });
    assert.ok(!isRefused(listing));
    assert.deepEqual(
      listing.entries.map((entry) => entry.path),
      ['HANDOFF.md', 'SOUL.md', 'memory', 'memory/notes.md'],
    );
    assert.equal(picture(path.join(dir, 'own')), before);
    assert.deepEqual(await roots.write(agent('HANDOFF.md'), Buffer.from('new')), { created: false });
    assert.deepEqual(await roots.write(agent('memory/notes.md'), Buffer.from('new')), { created: false });
  });

  test(`${mode}: a read-only root is read and never changed`, async (t) => {
    const { roots, dir } = await openWorld(t, mode);

    const outcome = await tryAll(roots, { root: 'repo', path: 'a.ts' });

    assert.deepEqual([outcome['read'], outcome['write'], outcome['remove']], ['done', 'fs.read-only', 'fs.read-only']);
    assert.equal(fs.readFileSync(path.join(dir, 'repo/a.ts'), 'utf8'), 'code');
  });

  test(`${mode}: a file keeps its mode, loses nothing but permission bits that escalate, and no temporary file stays`, async (t) => {
    const { roots, ws: work } = await openWorld(t, mode);
    fs.writeFileSync(path.join(work, 'tool.sh'), 'x');
    fs.chmodSync(path.join(work, 'tool.sh'), 0o4750);

    await roots.write(ws('tool.sh'), Buffer.from('y'));

    assert.equal(fs.statSync(path.join(work, 'tool.sh')).mode & 0o7777, 0o750);
    assert.deepEqual(fs.readdirSync(work).toSorted(), ['docs', 'tool.sh']);
  });

  test(`${mode}: a change is refused when the target is not what was expected, and nothing stays behind`, async (t) => {
    const { roots, ws: work } = await openWorld(t, mode);
    fs.mkdirSync(path.join(work, 'folder'));
    const before = picture(work);

    const outcomes = [
      await roots.write(ws('docs/a.md'), Buffer.from('x'), { expect: sha256('something else') }),
      await roots.write(ws('docs/a.md'), Buffer.from('x'), { expect: 'absent' }),
      await roots.write(ws('docs/new.md'), Buffer.from('x'), { expect: sha256('x') }),
      await roots.remove(ws('docs/a.md'), { expect: sha256('x') }),
      await roots.write(ws('folder'), Buffer.from('x')),
      await roots.write(ws('docs/a.md/x'), Buffer.from('x')),
      await roots.write(ws('.'), Buffer.from('x')),
    ];

    assert.deepEqual(
      outcomes.map((outcome) => (isRefused(outcome) ? outcome.refused : 'done')),
      ['fs.changed', 'fs.changed', 'fs.changed', 'fs.changed', 'fs.not-a-file', 'fs.not-a-folder', 'fs.not-a-file'],
    );
    assert.equal(picture(work), before);
  });

  test(`${mode}: a failed rename takes its temporary file with it`, async (t) => {
    const { roots, ws: work } = await openWorld(t, mode);
    const writing = roots.write(ws('docs/a.md'), Buffer.from('x'));
    // While the write waits for the disk, its target becomes a folder.
    fs.rmSync(path.join(work, 'docs/a.md'));
    fs.mkdirSync(path.join(work, 'docs/a.md/sub'), { recursive: true });

    const outcome = await writing;

    assert.equal(isRefused(outcome) && outcome.refused, 'fs.changed');
    assert.deepEqual(fs.readdirSync(path.join(work, 'docs')), ['a.md']);
  });

  test(`${mode}: a file that would make its folder a git repository is refused`, async (t) => {
    const { roots, ws: work } = await openWorld(t, mode);

    for (const text of ['ref: refs/heads/main\n', `${'a'.repeat(40)}\n`, 'REF: x']) {
      const outcome = await roots.write(ws('docs/HEAD'), Buffer.from(text));
      assert.equal(isRefused(outcome) && outcome.refused, 'fs.protected');
    }
    assert.deepEqual(await roots.write(ws('docs/HEAD'), Buffer.from('a headline')), { created: true });
    assert.deepEqual(fs.readdirSync(path.join(work, 'docs')), ['HEAD', 'a.md']);
  });

  test(`${mode}: names that cannot be written down are listed as unusable, and limits are told`, async (t) => {
    const { roots, ws: work } = await openWorld(t, mode);
    fs.writeFileSync(path.join(work, 'a\u202eb'), '');
    fs.writeFileSync(path.join(work, 'z'), '');

    const all = roots.list(ws('.'), { depth: 1, maxEntries: 10 });
    const some = roots.list(ws('.'), { depth: 1, maxEntries: 2 });

    assert.ok(!isRefused(all) && !isRefused(some));
    assert.deepEqual(
      all.entries.map((entry) => [entry.path, entry.isReachable]),
      [
        ['a\u202eb', false],
        ['docs', true],
        ['z', true],
      ],
    );
    assert.deepEqual([all.truncated, some.truncated, some.entries.length], [false, true, 2]);
  });

  test(`${mode}: a file beyond the limit is not read`, async (t) => {
    const { roots } = await openWorld(t, mode);

    const outcome = roots.read(ws('docs/a.md'), { maxBytes: 5 });

    assert.equal(isRefused(outcome) && outcome.refused, 'fs.too-large');
  });

  test(
    `${mode}: no descriptor stays open, whatever the outcome`,
    { skip: process.platform !== 'linux' && 'counts /proc/self/fd' },
    async (t) => {
      const { roots, ws: work } = await openWorld(t, mode);
      fs.symlinkSync('/etc', path.join(work, 'link'));
      const before = fs.readdirSync('/proc/self/fd').length;

      for (const at of ['docs/a.md', 'docs', 'link', 'link/passwd', 'none/x', '.git/x', 'docs/a.md/x']) await tryAll(roots, ws(at));

      assert.equal(fs.readdirSync('/proc/self/fd').length, before);
    },
  );
}

test(
  'a root stays the folder that was opened when another takes its name',
  { skip: process.platform !== 'linux' && 'needs descriptors that can be walked' },
  async (t) => {
    const { roots, dir } = await openWorld(t, 'race-free');
    fs.renameSync(path.join(dir, 'ws'), path.join(dir, 'moved'));
    fs.symlinkSync('outside', path.join(dir, 'ws'));

    await roots.write(ws('b.md'), Buffer.from('b'));

    assert.ok(!isRefused(roots.read(ws('docs/a.md'))));
    assert.equal(isRefused(roots.read(ws('secret'))), true);
    assert.ok(fs.existsSync(path.join(dir, 'moved/b.md')));
    assert.ok(!fs.existsSync(path.join(dir, 'outside/b.md')));
  },
);

test('best effort refuses everything once another folder has the root’s name', async (t) => {
  const { roots, dir } = await openWorld(t, 'best-effort');
  fs.renameSync(path.join(dir, 'ws'), path.join(dir, 'moved'));
  fs.symlinkSync('outside', path.join(dir, 'ws'));

  const outcome = await tryAll(roots, ws('secret'));

  assert.deepEqual([...new Set(Object.values(outcome))], ['fs.changed']);
});

const badRoots: readonly (readonly [what: string, dir: (base: string) => string])[] = [
  ['is missing', (base) => path.join(base, 'none')],
  ['is a file', (base) => path.join(base, 'file')],
  ['lies in .clawhold', (base) => path.join(base, '.clawhold/tenants')],
  ['lies in .git', (base) => path.join(base, '.git/hooks')],
  ['lies in .clawhold behind a link', (base) => path.join(base, 'link')],
  ['is the home', (base) => path.join(base, 'home')],
  ['lies in the home', (base) => path.join(base, 'home/x')],
];
for (const [what, dirOf] of badRoots) {
  test(`a folder that ${what} cannot be a root`, async (t) => {
    const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-roots-')));
    t.after(() => fs.rmSync(base, { recursive: true }));
    for (const name of ['.clawhold/tenants', '.git/hooks', 'home/x']) fs.mkdirSync(path.join(base, name), { recursive: true });
    fs.writeFileSync(path.join(base, 'file'), '');
    fs.symlinkSync('.clawhold/tenants', path.join(base, 'link'));

    const opening = openRoots([{ name: 'workspace', dir: dirOf(base), access: 'write' }], { protectedDirs: [path.join(base, 'home')] });

    await assert.rejects(opening, { code: 'tools.bad-root' });
  });
}

test(
  'a kernel file system cannot be a root, nor be entered where it is mounted',
  { skip: process.platform !== 'linux' && 'needs /proc' },
  async (t) => {
    await assert.rejects(openRoots([{ name: 'repo', dir: '/proc/self', access: 'read' }]), { code: 'tools.bad-root' });
    const roots = await openRoots([{ name: 'repo', dir: '/', access: 'read' }]);
    t.after(async () => await roots[Symbol.asyncDispose]());

    const outcome = roots.read({ root: 'repo', path: 'proc/1/environ' });

    assert.equal(isRefused(outcome) && outcome.refused, 'fs.special');
  },
);

test('once disposed, nothing is reached any more, and a write under way is finished first', async (t) => {
  const { roots, ws: work } = await openWorld(t, modes[0] ?? 'best-effort');

  const writing = roots.write(ws('docs/late.md'), Buffer.from('late'));
  await roots[Symbol.asyncDispose]();

  assert.deepEqual(await writing, { created: true });
  assert.equal(fs.readFileSync(path.join(work, 'docs/late.md'), 'utf8'), 'late');
  assert.deepEqual([...new Set(Object.values(await tryAll(roots, ws('docs/a.md'))))], ['fs.outside']);
});

test('sabotage: without its protection the same folder is read under another name', async (t) => {
  const { roots, ws: work } = await openWorld(t, modes[0] ?? 'best-effort');
  fs.mkdirSync(path.join(work, 'harmless'));
  fs.writeFileSync(path.join(work, 'harmless/clawhold.yaml'), 'version: 1');

  assert.ok(!isRefused(roots.read(ws('harmless/clawhold.yaml'))));
});

test(
  'a full disk changes nothing and leaves nothing behind',
  { skip: process.getuid?.() !== 0 && 'only root can mount a small disk' },
  async (t) => {
    const { dir } = await openWorld(t, modes[0] ?? 'best-effort');
    const small = path.join(dir, 'small');
    fs.mkdirSync(small);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      t.skip('a small disk cannot be mounted here');
      return;
    }
    const roots = await openRoots([{ name: 'workspace', dir: small, access: 'write' }]);
    try {
      await roots.write(ws('a.md'), Buffer.from('old'));

      const outcome = await roots.write(ws('a.md'), Buffer.alloc(1024 * 1024));

      assert.equal(isRefused(outcome) && outcome.refused, 'fs.full');
      assert.equal(fs.readFileSync(path.join(small, 'a.md'), 'utf8'), 'old');
      assert.deepEqual(fs.readdirSync(small), ['a.md']);
    } finally {
      await roots[Symbol.asyncDispose]();
      execFileSync('umount', [small]);
    }
  },
);

test('two roots cannot have one name: a root that a human calls agent must not replace the agent’s own folder', async (t) => {
  const { dir } = await openWorld(t, 'best-effort');
  const specs = ['own', 'outside'].map((name) => ({ name: 'agent', dir: path.join(dir, name), access: 'write' as const }));

  await assert.rejects(openRoots(specs), { code: 'tools.bad-root' });
});

for (const mode of modes) {
  test(`${mode}: a protected folder that does not exist yet is not made by an agent, nor used once it exists`, async (t) => {
    const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-later-')));
    fs.mkdirSync(path.join(base, 'ws'));
    const keys = path.join(base, 'ws/config/clawhold');
    const roots = await openAs(mode, [{ name: 'workspace', dir: path.join(base, 'ws'), access: 'write' }], { protectedDirs: [keys] });
    t.after(async () => {
      await roots[Symbol.asyncDispose]();
      fs.rmSync(base, { recursive: true });
    });

    for (const at of ['config/clawhold/secrets/x', 'config/clawhold']) assert.equal((await tryAll(roots, ws(at)))['write'], 'fs.protected');
    assert.ok(!fs.existsSync(keys));
    assert.deepEqual(await roots.write(ws('config/clawhold-other'), Buffer.from('x')), { created: true });
    fs.mkdirSync(path.join(keys, 'secrets'), { recursive: true });

    assert.deepEqual([...new Set(Object.values(await tryAll(roots, ws('config/clawhold/secrets/x'))))], ['fs.protected']);
    const listing = roots.list(ws('.'), { depth: 9, maxEntries: 9 });
    assert.ok(!isRefused(listing));
    assert.deepEqual(
      listing.entries.map((entry) => entry.path),
      ['config', 'config/clawhold-other'],
    );
  });
}

for (const mode of modes) {
  test(`${mode}: a root within a root is entered by its own name only`, async (t) => {
    const { dir } = await openWorld(t, mode);
    const roots = await openAs(mode, [
      { name: 'repo', dir, access: 'read' },
      { name: 'workspace', dir: path.join(dir, 'ws'), access: 'write' },
      { name: 'docs', dir: path.join(dir, 'ws/docs'), access: 'read' },
    ]);
    t.after(async () => await roots[Symbol.asyncDispose]());

    const through = [
      roots.read({ root: 'repo', path: 'ws/docs/a.md' }),
      roots.list({ root: 'repo', path: 'ws' }, { depth: 3, maxEntries: 10 }),
      await roots.write(ws('docs/a.md'), Buffer.from('changed')),
    ];
    const listed = roots.list({ root: 'repo', path: '.' }, { depth: 5, maxEntries: 100 });

    for (const refused of through) assert.equal(isRefused(refused) && refused.refused, 'fs.protected');
    assert.equal(!isRefused(listed) && listed.entries.some((entry) => entry.path.startsWith('ws/')), false);
    assert.deepEqual(roots.read({ root: 'docs', path: 'a.md' }), { bytes: Buffer.from('inside'), size: 6 });
  });
}

test('one folder cannot be two roots, also when a link says it is another', async (t) => {
  const { dir } = await openWorld(t, 'best-effort');
  fs.symlinkSync('ws', path.join(dir, 'link'));

  const open = openRoots([
    { name: 'workspace', dir: path.join(dir, 'ws'), access: 'write' },
    { name: 'repo', dir: path.join(dir, 'link'), access: 'read' },
  ]);

  await assert.rejects(open, { code: 'tools.bad-root', message: /cannot be the root "repo": another root is the same folder/ });
});
