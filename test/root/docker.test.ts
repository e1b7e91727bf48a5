import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { sandboxConformance } from '../../src/sandbox/conformance.ts';
import { openOci } from '../../src/sandbox/oci.ts';
import type { SandboxImage } from '../../src/sandbox/sandbox.ts';
import { makeRootfs } from './make-rootfs.ts';
import { whyNot } from './needs.ts';
import { newShellStory } from './shell-story.ts';
import { startDockerd } from './start-dockerd.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'docker-'));
const skip = whyNot('dockerd', 'docker', 'runc', 'busybox', 'gcc');
const daemon = skip === undefined ? await startDockerd(path.join(folder, 'daemon')) : undefined;
after(async () => {
  await daemon?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** docker has no root file systems, only images. */
function makeImage(): Extract<SandboxImage, { kind: 'tarball' }> {
  const file = path.join(folder, 'image.tar');
  execFileSync('tar', ['-C', makeRootfs(folder), '-cf', file, '.']);
  return { kind: 'tarball', path: file, sha256: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

const image = skip === undefined ? makeImage() : undefined;
const runtimeDir = path.join(folder, 'runtime');
const options = { runtimeDir, engine: 'docker', host: daemon?.host ?? '' } as const;
const open = () => openOci({ ...options, ...(image === undefined ? {} : { image }) });

sandboxConformance({ title: 'docker, workspace of a user', runtimeDir, open, owner: 12_345, skip });
sandboxConformance({ title: 'docker, workspace of root', runtimeDir, open, owner: undefined, skip });

test('an agent builds and tests a project in a container of docker, and nothing of it is left', { skip: skip ?? false }, async () => {
  assert.ok(image !== undefined);
  await using story = newShellStory({
    agentYaml: `workspace: workspace
grants:
  fs.write: {}
  shell.exec: { commands: ["sh build.sh", "sh test.sh"] }
sandbox: { minimum: container }
`,
    clawholdYaml: `sandbox: { engine: docker, image: { tarball: image.tar, sha256: ${image.sha256} } }\n`,
  });
  copyFileSync(image.path, path.join(story.one.root, 'image.tar'));

  const { finished, told } = await story.ask([
    [['fs_write', { path: 'build.sh', content: 'mkdir -p dist && cp src.txt dist/out.txt && echo built\n' }]],
    [['fs_write', { path: 'src.txt', content: 'two\n' }]],
    [['shell_exec', { argv: ['sh', 'build.sh'] }]],
    [['fs_write', { path: 'test.sh', content: 'grep -q two dist/out.txt && ! touch /x && ! wget -q http://127.0.0.1/\n' }]],
    [['shell_exec', { argv: ['sh', 'test.sh'] }]],
  ]);

  assert.equal(finished.code, 0, finished.stderr);
  assert.match(told[2] ?? '', /exit code 0\]\nbuilt/);
  assert.match(told[4] ?? '', /exit code 0\]/);
  assert.deepEqual(story.live(), []);
  assert.equal(execFileSync('docker', ['ps', '--all', '--quiet'], { encoding: 'utf8' }), '');
});
