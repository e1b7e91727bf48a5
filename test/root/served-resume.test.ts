import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { serveHome, tokenOf } from '../stories/served.ts';
import { whyNot } from './needs.ts';
import { newShellStory } from './shell-story.ts';

const skip = whyNot('bwrap') ?? false;
const step = (n: number): object => ({ name: 'shell_exec', args: { argv: ['sh', '-c', `echo step ${n} >> steps`] } });

test(
  'a server that is killed after step 3 of 5 is followed by one whose new sandbox does 4 and 5, and what the run left is its tenant’s once no sandbox is there',
  { skip },
  async () => {
    const askedForFour = Promise.withResolvers<void>();
    let hasHung = false;
    await using server = await startOpenAiServer({
      respond: ({ body }) => {
        const done = (body['messages'] as { readonly role: string }[]).filter(({ role }) => role === 'tool').length;
        if (done === 3 && !hasHung) {
          hasHung = true;
          askedForFour.resolve();
          return { hang: 'before-headers' };
        }
        return done === 5 ? { text: 'all five' } : { toolCalls: [step(done + 1) as never] };
      },
    });
    await using story = newShellStory({ agentYaml: 'workspace: workspace\ngrants:\n  shell.exec: {}\n', owner: 12_345 });
    const { one } = story;
    one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${server.baseUrl} }\n`);
    one.write('.clawhold/clawhold.yaml', 'version: 1\nmodel: test/model\nserve: { queue: { leaseSeconds: 2 } }\n');
    await one.cli(['tenants', 'create', 'other']);
    const [token, foreign] = [
      await tokenOf(one),
      (await one.cli(['tokens', 'create', '--tenant', 'other', '--role', 'admin', '--json'])).json.secret,
    ];

    const first = await serveHome(one, [], token);
    const run = await first.post('Do five steps.');
    await askedForFour.promise;
    const before = fs.readFileSync(path.join(one.workspace, 'steps'), 'utf8');
    first.child.kill('SIGKILL');
    const died = await first.done;
    await using second = await serveHome(one, [], token);
    const ended = await second.reached(run, 'done', 'failed', 'waiting');
    while (sandboxesIn(story.live(), story.runtimeDir) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const { artifacts } = (await second.ask('GET', `/api/v1/runs/${run}/artifacts`)).json;
    const output = await fetch(`${second.url}/api/v1/runs/${run}/artifacts/output.md`, { headers: { authorization: `Bearer ${token}` } });
    const others = await Promise.all(
      ['', '/artifacts', '/artifacts/output.md', '/events'].map(
        async (what) =>
          (await fetch(`${second.url}/api/v1/runs/${run}${what}`, { headers: { authorization: `Bearer ${foreign}` } })).status,
      ),
    );
    second.child.kill('SIGTERM');
    const { stderr } = await second.done;

    assert.equal(ended.state, 'done', JSON.stringify(ended));
    assert.equal(before, 'step 1\nstep 2\nstep 3\n');
    assert.equal(fs.readFileSync(path.join(one.workspace, 'steps'), 'utf8'), 'step 1\nstep 2\nstep 3\nstep 4\nstep 5\n');
    const names = artifacts.map(({ name }: { name: string }) => name);
    assert.ok(names.includes('output.md') && names.includes('journal.jsonl'), names.join(' '));
    assert.equal((await output.text()).trim(), 'all five');
    assert.deepEqual(new Set(others), new Set([404]));
    const sandboxes = [died.stderr, stderr].map((log) => new Set([...log.matchAll(/"sandbox_id":"([^"]+)"/g)].map(([, id]) => id)));
    assert.ok(
      sandboxes.every((ids) => ids.size > 0),
      'a server told of no sandbox',
    );
    assert.ok([...sandboxes[0]!].every((id) => !sandboxes[1]!.has(id)));
    assert.equal((await one.cli(['audit', 'verify', '--bundles'])).code, 0);
  },
);

/** What is begun ahead serves nobody. */
function sandboxesIn(live: readonly string[], runtimeDir: string): number {
  return live.filter((name) => fs.existsSync(path.join(runtimeDir, 'live', name, 'record.json'))).length;
}
