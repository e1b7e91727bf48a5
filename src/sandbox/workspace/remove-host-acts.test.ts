import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeHostActs } from './remove-host-acts.ts';

function newWorkspace(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'acts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function makeRepository(folder: string, config = '[core]\n\tfsmonitor = evil\n'): void {
  for (const name of ['hooks', 'objects', 'refs']) mkdirSync(path.join(folder, name), { recursive: true });
  writeFileSync(path.join(folder, 'HEAD'), 'ref: refs/heads/main\n');
  writeFileSync(path.join(folder, 'config'), config);
  writeFileSync(path.join(folder, 'hooks/post-checkout'), 'evil');
}

const always = { sinceMs: 0, masked: new Set<string>() };

test('a repository that a command made loses its hooks and keeps only data in its config', async (t) => {
  const workspace = newWorkspace(t);
  makeRepository(path.join(workspace, '.git'), '[core]\n\tbare = false\n\tfsmonitor = evil\n');

  const removed = await removeHostActs(workspace, { ...always, deep: false });

  assert.deepEqual(removed, ['.git/hooks', '.git/config']);
  assert.equal(readFileSync(path.join(workspace, '.git/config'), 'utf8'), '[core]\n\tbare = false\n');
  assert.ok(existsSync(path.join(workspace, '.git/HEAD')));
});

test('what was there before the sandbox is left alone', async (t) => {
  const workspace = newWorkspace(t);
  makeRepository(path.join(workspace, '.git'));
  makeRepository(path.join(workspace, 'sub/.git'));
  await sleep(20);

  const removed = await removeHostActs(workspace, { ...always, sinceMs: Date.now(), deep: true });

  assert.deepEqual(removed, []);
  assert.ok(existsSync(path.join(workspace, '.git/hooks/post-checkout')));
});

test('an old folder that was renamed to .git counts as new', async (t) => {
  const workspace = newWorkspace(t);
  makeRepository(path.join(workspace, 'harmless'), '[core]\n\tfsmonitor = evil\n');
  await sleep(20);
  const sinceMs = Date.now();
  renameSync(path.join(workspace, 'harmless'), path.join(workspace, '.git'));

  const removed = await removeHostActs(workspace, { ...always, sinceMs, deep: false });

  assert.deepEqual(removed, ['.git/hooks', '.git/config']);
});

test('nested and bare repositories, links and files named .git, and .clawhold folders are found at the end', async (t) => {
  const workspace = newWorkspace(t);
  makeRepository(path.join(workspace, 'a/b/.git'));
  makeRepository(path.join(workspace, 'bare'));
  mkdirSync(path.join(workspace, 'c/.clawhold'), { recursive: true });
  mkdirSync(path.join(workspace, 'd'));
  symlinkSync('../bare', path.join(workspace, 'd/.git'));
  mkdirSync(path.join(workspace, 'e'));
  writeFileSync(path.join(workspace, 'e/.git'), 'gitdir: ../bare\n');
  makeRepository(path.join(workspace, '.git'));
  writeFileSync(path.join(workspace, '.git/commondir'), '../bare\n');

  await removeHostActs(workspace, { ...always, deep: true });

  for (const gone of ['a/b/.git/hooks', 'bare/hooks', 'c/.clawhold', 'd/.git', 'e/.git', '.git/commondir']) {
    assert.equal(existsSync(path.join(workspace, gone)), false, gone);
  }
  assert.equal(readFileSync(path.join(workspace, 'bare/config'), 'utf8'), '');
});

test('a link is taken away and what it points to is not', async (t) => {
  const workspace = newWorkspace(t);
  const outside = newWorkspace(t);
  makeRepository(outside, '[core]\n\tfsmonitor = theirs\n');
  symlinkSync(outside, path.join(workspace, '.git'));

  await removeHostActs(workspace, { ...always, deep: true });

  assert.ok(existsSync(path.join(outside, 'hooks/post-checkout')));
  assert.equal(readFileSync(path.join(outside, 'config'), 'utf8'), '[core]\n\tfsmonitor = theirs\n');
});
