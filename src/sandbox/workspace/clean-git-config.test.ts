import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanGitConfig } from './clean-git-config.ts';

test('what git init, clone and a first push write is kept as it is', () => {
  const text =
    '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n' +
    '[remote "origin"]\n\turl = https://example.org/a.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n' +
    '[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n[user]\n\tname = A B\n\temail = a@b.org\n';

  assert.equal(cleanGitConfig(text), text);
});

const acting: readonly string[] = [
  '[core]\n\tfsmonitor = ./evil',
  '[core]\n\tsshCommand = evil',
  '[core]\n\thooksPath = evil',
  '[core]\n\tworktree = /etc',
  '[core]\n\tpager = evil',
  '[core] fsmonitor = ./evil',
  '[core]\n\tbare = true',
  '[include]\n\tpath = evil',
  '[includeIf "gitdir:/"]\n\tpath = evil',
  '[alias]\n\tst = !evil',
  '[filter "x"]\n\tsmudge = evil',
  '[remote "origin"]\n\turl = ext::sh -c evil',
  '[remote "origin"]\n\turl = --upload-pack=evil',
  '[remote "origin"]\n\turl = ../evil',
  '[remote "origin"]\n\tuploadpack = evil',
  '[credential]\n\thelper = evil',
  '[diff "x"]\n\ttextconv = evil',
  '[user]\n\tname = a\\\n[core]\n\tfsmonitor = evil',
  '[user]\n\tname = "a\n[core]\n\tfsmonitor = evil"',
  '[extensions]\n\tworktreeConfig = true',
  '[core "x"]\n\tfilemode = evil',
];
for (const text of acting) {
  test(`dropped: ${JSON.stringify(text)}`, () => {
    assert.equal(cleanGitConfig(text).includes('evil'), false);
    assert.equal(/worktree|bare = true/.test(cleanGitConfig(text)), false);
  });
}
