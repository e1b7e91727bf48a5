import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { whyNot } from './needs.ts';
import { newShellStory } from './shell-story.ts';

const skip = whyNot('bwrap', 'make', 'gcc') ?? false;
const fileGrants = 'workspace: workspace\ngrants:\n  fs.read: {}\n  fs.write: {}\n  fs.edit: {}\n';
const builder = `${fileGrants}  shell.exec: { commands: [make, "make test"] }\n`;

const sum = 'int sum(int a, int b) { return a - b; }\n';
const sumTest = '#include <stdio.h>\nint sum(int, int);\nint main(void) { printf("sum is %d\\n", sum(2, 3)); return sum(2, 3) != 5; }\n';
const makefile = 'dist/test: src/sum.c test.c\n\tmkdir -p dist && gcc -o $@ $^\ntest: dist/test\n\t./dist/test\n';

for (const [name, owner] of [
  ['root, copied in and out', undefined],
  ['a user, mounted', 12_345],
] as const) {
  test(`an agent builds, tests and repairs a project in one sandbox; its workspace belongs to ${name}`, { skip }, async () => {
    await using story = newShellStory({ agentYaml: builder, owner });

    const { finished, told, offered } = await story.ask([
      [['fs_write', { path: 'src/sum.c', content: sum }]],
      [['fs_write', { path: 'test.c', content: sumTest }]],
      [['fs_write', { path: 'Makefile', content: makefile }]],
      [['shell_exec', { argv: ['make'] }]],
      [['shell_exec', { argv: ['make', 'test'] }]],
      [['fs_edit', { path: 'src/sum.c', edits: [{ oldText: 'a - b', newText: 'a + b' }] }]],
      [['shell_exec', { argv: ['make', 'test'] }]],
    ]);

    assert.equal(finished.code, 0, finished.stderr);
    assert.ok(offered.includes('shell_exec'));
    assert.match(told[3] ?? '', /exit code 0\]/);
    assert.match(told[4] ?? '', /exit code 2\][^]*sum is -1/);
    assert.match(told[6] ?? '', /exit code 0\][^]*sum is 5/);
    assert.deepEqual(story.live(), []);
    assert.equal(fs.statSync(path.join(story.one.workspace, 'dist')).uid, owner ?? 0);
    const replayed = await story.one.cli(['runs', 'replay', finished.json.run, '--json']);
    assert.equal(replayed.json.isIdentical, true, replayed.stdout);
    assert.equal((await story.one.cli(['audit', 'verify', '--schema'])).code, 0);
  });
}
