import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { filesBelow } from '../stories/installation.ts';
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

/** Everything may be started: what holds without any rule. */
const anything = `${fileGrants}  shell.exec: {}\n`;
const sh = (script: string, more: object = {}): readonly [string, object] => ['shell_exec', { argv: ['sh', '-c', script], ...more }];

test('a command that was not granted is denied, recorded, and the run goes on', { skip }, async () => {
  await using story = newShellStory({ agentYaml: builder });

  const { finished, told } = await story.ask([
    [['shell_exec', { argv: ['sh', '-c', 'make; touch evil'] }]],
    [['shell_exec', { argv: ['env', 'make'] }]],
    [['shell_exec', { argv: ['make'], env: { MAKEFILES: '/workspace/x.mk' } }]],
    [['shell_exec', { argv: ['make', '; touch evil'] }]],
  ]);

  assert.equal(finished.code, 0, finished.stderr);
  for (const text of told) assert.match(text, /was not done: .*what is not allowed is denied/);
  assert.deepEqual(fs.readdirSync(story.one.workspace), []);
  const { stdout } = await story.one.cli(['audit', 'query', '--type', 'policy.denied', '--json']);
  assert.equal(stdout.match(/policy\.denied/g)?.length, 4);
  assert.deepEqual(story.live(), []);
});

test('time, output and memory of a command end it with a typed error, and the sandbox goes on', { skip }, async () => {
  await using story = newShellStory({ agentYaml: `${anything}sandbox: { limits: { outputMiB: 1, memoryMiB: 256 } }\n` });

  const { finished, told } = await story.ask([
    [sh('trap "" TERM; sleep 300', { timeoutSeconds: 1 })],
    [sh('yes')],
    [sh('head -c 200000 /dev/zero | tr "\\0" x; echo END')],
    [sh('exit 7')],
  ]);

  assert.equal(finished.code, 0, finished.stderr);
  assert.match(told[0] ?? '', /killed after 1 seconds, its time limit/);
  assert.match(told[1] ?? '', /killed at the output limit/);
  assert.match(told[2] ?? '', /exit code 0\][^]*characters are not shown\][^]*END/);
  assert.ok((told[2] ?? '').length < 40_000);
  assert.match(told[3] ?? '', /exit code 7\]/);
});

test(
  'a folder as the command sees it is where it starts, a time that nobody named is the granted one, and the record has both',
  { skip },
  async () => {
    await using story = newShellStory({ agentYaml: `${fileGrants}  shell.exec: { cwd: ["sub/**"], seconds: 3 }\n` });
    fs.mkdirSync(path.join(story.one.workspace, 'sub'));

    const { finished, told } = await story.ask([
      [sh('pwd', { cwd: '/workspace/sub' })],
      [sh('sleep 300', { cwd: '/workspace/sub/' })],
      [sh('pwd', { cwd: '/workspace' })],
      [sh('pwd', { cwd: '/workspace/../sub' })],
      [sh('pwd', { cwd: '/workspace/sub', timeoutSeconds: 4 })],
    ]);

    assert.equal(finished.code, 0, finished.stderr);
    assert.match(told[0] ?? '', /exit code 0\]\n\/workspace\/sub$/m);
    assert.match(told[1] ?? '', /killed after 3 seconds, its time limit/);
    for (const text of told.slice(2)) assert.match(text, /was not done/);
    const shown = await story.one.cli(['policy', 'explain', finished.json.run, '1.1', '--json']);
    assert.match(shown.stdout, /cwd\\": ?\\"sub\\"/);
    assert.match(shown.stdout, /timeoutSeconds\\": ?3}/);
    const replayed = await story.one.cli(['runs', 'replay', finished.json.run, '--json']);
    assert.equal(replayed.json.isIdentical, true, replayed.stdout);
  },
);

test(
  'nothing of the host, the home or the agent can be read or changed, and nothing that acts on the host comes back',
  { skip },
  async () => {
    await using story = newShellStory({ agentYaml: anything });
    const home = filesBelow(story.one.home);
    const { root } = story.one;

    const { finished, told } = await story.ask([
      [sh(`cat ${root}/.clawhold/clawhold.yaml ${root}/user/* /etc/shadow /root/.ssh/* 2>/dev/null; echo "read: $?"`)],
      [sh('id -u; touch /x /etc/x /usr/x 2>/dev/null; echo "write: $?"')],
      [
        sh(
          'mkdir -p .clawhold .git/hooks sub/.git/hooks && echo evil > .clawhold/x; echo evil > .git/hooks/pre-commit; chmod 755 .git/hooks/pre-commit; true',
        ),
      ],
      [sh(`ln -s ${root}/.clawhold/clawhold.yaml link; ln -s / rootlink; true`)],
      [['fs_read', { path: 'link' }]],
      [['fs_write', { path: 'rootlink/tmp/evil', content: 'x' }]],
      [sh('env | sort; rm rootlink')],
    ]);

    assert.equal(finished.code, 0, finished.stderr);
    assert.match(told[0] ?? '', /\]\nread: [^0]/);
    assert.match(told[1] ?? '', /\]\n(?!0\n)\d+\nwrite: [^0]/);
    assert.match(told[4] ?? '', /link/);
    assert.doesNotMatch(told[4] ?? '', /version: 1/);
    assert.doesNotMatch(told[5] ?? '', /Created/);
    assert.doesNotMatch(told[6] ?? '', /CLAWHOLD|USER|TOKEN|KEY/);
    const left = [...filesBelow(story.one.workspace).keys()];
    assert.deepEqual(
      left.filter((name) => /\.clawhold|hooks\/./.test(name)),
      [],
    );
    const after = filesBelow(story.one.home);
    for (const [name, bytes] of home) if (!/llm\.yaml|clawhold\.yaml/.test(name)) assert.deepEqual(after.get(name), bytes, name);
  },
);

test(
  'without a sandbox of the demanded class the tool is not offered, a call is denied with the reason, and tools call exits with 5',
  {
    skip,
  },
  async () => {
    for (const settings of ['sandbox: { driver: none }\n', 'sandbox: { minimum: microvm }\n']) {
      await using story = newShellStory({ agentYaml: `${anything}${settings}` });

      const { finished, told, offered } = await story.ask([[sh('touch evil')]]);
      const called = await story.one.cli(['tools', 'call', 'shell.exec', '--args', '{"argv":["touch","evil"]}', '--json']);

      assert.equal(finished.code, 0, finished.stderr);
      assert.ok(!offered.includes('shell_exec'));
      assert.match(told[0] ?? '', /Commands run in a sandbox or not at all/);
      assert.equal(called.code, 5, called.stdout);
      assert.deepEqual(fs.readdirSync(story.one.workspace), []);
      assert.deepEqual(story.live(), []);
    }
  },
);

test(
  'a sandbox that is killed in the middle of a run is not replaced: the call says so, the next is denied, the replay agrees',
  {
    skip,
  },
  async () => {
    await using story = newShellStory({ agentYaml: anything });
    const killer = setInterval(() => killSandboxes(story.runtimeDir), 50);

    const { finished, told } = await story
      .ask([[sh('echo one > a; sleep 60')], [sh('touch evil')], [['fs_read', { path: 'a' }]]])
      .finally(() => clearInterval(killer));

    assert.equal(finished.code, 0, finished.stderr);
    assert.match(told[0] ?? '', /The sandbox ended while the command ran/);
    assert.match(told[1] ?? '', /was not done: .*the sandbox of this run died/);
    assert.ok(!fs.existsSync(path.join(story.one.workspace, 'evil')));
    assert.deepEqual(story.live(), []);
    const replayed = await story.one.cli(['runs', 'replay', finished.json.run, '--json']);
    assert.equal(replayed.json.isIdentical, true, replayed.stdout);
  },
);

/** Ends the processes that sandboxes under this folder have registered. */
function killSandboxes(runtimeDir: string): void {
  const live = path.join(runtimeDir, 'live');
  for (const name of fs.existsSync(live) ? fs.readdirSync(live) : []) {
    try {
      const record = JSON.parse(fs.readFileSync(path.join(live, name, 'record.json'), 'utf8'));
      if (record.label === 'canary' || record.label === 'FIFOs') continue;
      if (!fs.existsSync(path.join(live, name, 'workspace', 'a'))) continue;
      for (const { pid } of record.processes) process.kill(pid, 'SIGKILL');
    } catch {
      // silent-ok: it is being made or taken away just now
    }
  }
}

test(
  'after kill -9 nothing of the sandbox is left once clawhold starts again, and a resumed run is told that its sandbox is new',
  {
    skip,
  },
  async () => {
    await using story = newShellStory({ agentYaml: anything });
    const { one } = story;
    await using server = await startOpenAiServer({
      turns: [
        { text: '', toolCalls: [{ name: 'shell_exec', args: { argv: ['sh', '-c', 'echo first > a; echo x > /tmp/x'] } }] },
        { text: '', toolCalls: [{ name: 'shell_exec', args: { argv: ['sh', '-c', 'echo second > b; sleep 300'] } }] },
        { text: '', toolCalls: [{ name: 'shell_exec', args: { argv: ['sh', '-c', 'cat a; test ! -e /tmp/x'] } }] },
        { text: 'done' },
      ],
    });
    one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${server.baseUrl} }\n`);
    const { child, done } = one.start(['ask', 'work', '--json'], { seconds: 120 });
    const deadline = Date.now() + 60_000;
    while (
      server.requests.length < 2 ||
      !story.live().some((name) => fs.existsSync(path.join(story.runtimeDir, 'live', name, 'workspace/b')))
    ) {
      assert.ok(Date.now() < deadline, 'the second command never began');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    child.kill('SIGKILL');
    await done;
    assert.notDeepEqual(story.live(), []);

    await one.cli(['sandbox', 'list', '--json']);
    assert.deepEqual(story.live(), []);
    const run = (await one.cli(['runs', 'list', '--json'])).json.runs[0].id as string;
    const resumed = await one.cli(['runs', 'resume', run, '--approvals', 'deny', '--json'], { seconds: 60 });

    assert.equal(resumed.code, 0, resumed.stdout + resumed.stderr);
    const told = ((server.requests.at(-1)?.body['messages'] ?? []) as { role: string; content: string }[]).filter(
      ({ role }) => role === 'tool',
    );
    assert.match(told[1]?.content ?? '', /had begun when the run was interrupted/);
    assert.match(told[2]?.content ?? '', /exit code 0\]\n\[a new sandbox[^]*first/);
    assert.deepEqual(story.live(), []);
  },
);
