import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { whyNot } from './needs.ts';
import { newShellStory } from './shell-story.ts';

const skip = whyNot('bwrap') ?? false;
const agentYaml = 'workspace: workspace\ngrants:\n  shell.exec: { commands: ["touch *"], ask: true }\n';

for (const [name, platform, expected] of [
  ['the same sandbox runs it', undefined, true],
  ['a stricter minimum that came meanwhile denies it', 'sandbox: { minimum: microvm }\nrules: [{ id: all, allow: "*" }]\n', false],
] as const) {
  test(`a command that waits for a person is bound to its sandbox: ${name}`, { skip }, async () => {
    await using story = newShellStory({ agentYaml });
    const { one } = story;
    await using server = await startOpenAiServer({
      turns: [{ text: '', toolCalls: [{ name: 'shell_exec', args: { argv: ['touch', 'made'] } }] }, { text: 'done' }],
    });
    one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${server.baseUrl} }\n`);

    const parked = await one.cli(['ask', 'work', '--approvals', 'wait', '--json'], { seconds: 60 });
    assert.equal(parked.code, 4, parked.stdout + parked.stderr);
    assert.deepEqual(story.live(), []);
    const [approval] = parked.json.waiting as string[];
    const shown = await one.cli(['approvals', 'show', approval ?? '']);
    assert.match(shown.stdout, /runs in\s+a sandbox of bwrap \(class namespace, network none\)/);
    if (platform !== undefined) one.write('.clawhold/policies/platform.yaml', `version: 1\n${platform}`);
    const approved = await one.cli(['approvals', 'approve', approval ?? '', '--resume', '--json'], { seconds: 60 });

    assert.equal(fs.existsSync(path.join(one.workspace, 'made')), expected, approved.stdout + approved.stderr);
    assert.deepEqual(story.live(), []);
  });
}
