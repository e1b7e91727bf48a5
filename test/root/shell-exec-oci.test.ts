import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { makeRootfs } from './make-rootfs.ts';
import { whyNot } from './needs.ts';
import { newShellStory } from './shell-story.ts';

const skip = whyNot('podman', 'runc', 'busybox') ?? false;
const agentYaml = `workspace: workspace
grants:
  fs.read: {}
  fs.write: {}
  shell.exec: { commands: ["sh build.sh", "sh test.sh"] }
sandbox: { minimum: container }
`;

test('an agent builds and tests a project in a container, which auto prefers, and nothing of it is left', { skip }, async () => {
  await using story = newShellStory({
    agentYaml,
    clawholdYaml: 'sandbox: { engine: podman, image: { rootfs: rootfs } }\n',
  });
  makeRootfs(story.one.root);
  const before = containers();

  const { finished, told, offered } = await story.ask([
    [['fs_write', { path: 'build.sh', content: 'mkdir -p dist && cp src.txt dist/out.txt && echo built\n' }]],
    [['fs_write', { path: 'src.txt', content: 'two\n' }]],
    [['shell_exec', { argv: ['sh', 'build.sh'] }]],
    [['fs_write', { path: 'test.sh', content: 'grep -q two dist/out.txt && ! touch /x && ! wget -q http://127.0.0.1/\n' }]],
    [['shell_exec', { argv: ['sh', 'test.sh'] }]],
    [['fs_read', { path: 'dist/out.txt' }]],
  ]);

  assert.equal(finished.code, 0, finished.stderr);
  assert.ok(offered.includes('shell_exec'), finished.stdout);
  assert.match(told[2] ?? '', /exit code 0\]\nbuilt/);
  assert.match(told[4] ?? '', /exit code 0\]/);
  assert.match(told[5] ?? '', /two/);
  assert.deepEqual(story.live(), []);
  assert.deepEqual(containers(), before);
});

function containers(): string {
  return execFileSync('podman', ['ps', '--all', '--quiet'], { encoding: 'utf8' });
}
