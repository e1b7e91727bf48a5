import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSandboxPool } from '../../src/cli/open-sandbox-pool.ts';
import { wire } from '../../src/cli/wire.ts';
import { newRunId, newSessionId } from '../../src/contracts/ids.ts';
import type { ModelClient } from '../../src/contracts/model.ts';
import type { RunItem } from '../../src/contracts/run.ts';
import { startRun } from '../../src/worker/start-run.ts';
import type { WorkerContext } from '../../src/worker/worker-context.ts';
import { whyNot } from './needs.ts';
import { newShellStory, type ShellStory } from './shell-story.ts';

const skip = whyNot('bwrap') ?? false;
const owner = 12_345;
const agentYaml = 'workspace: workspace\ngrants:\n  shell.exec: {}\n';

/** A model that has one command run, and keeps what it is told. */
function commandModel(script: string, told: string[]): ModelClient {
  const facts = { model: 'test/command', isScripted: true, contextTokens: 1_000_000, maxOutputTokens: 1000, hasPrice: true };
  return {
    facts,
    call: async ({ messages }) => {
      const results = messages.filter((message) => message.role === 'tool');
      told.push(...results.map((message) => JSON.stringify(message)));
      const argumentsText = JSON.stringify({ argv: ['sh', '-c', script] });
      const toolCalls = results.length === 0 ? [{ id: 'c0', name: 'shell.exec', argumentsText }] : [];
      const usage = { inputTokens: 1, outputTokens: 1 };
      return await Promise.resolve({
        answer: { text: 'x', toolCalls, stop: toolCalls.length > 0 ? 'tool' : 'end', usage },
        costMicroUsd: 0,
        attempts: 1,
      });
    },
  };
}

async function run(worker: WorkerContext, script: string): Promise<string> {
  const told: string[] = [];
  const nowMs = Date.now();
  const item = {
    kind: 'agent',
    runId: newRunId(nowMs),
    sessionId: newSessionId(nowMs),
    tenant: 'default',
    agent: 'main',
    door: 'cli',
    principal: { kind: 'user', id: 'test' },
    input: 'go',
  } as unknown as RunItem;
  const outcome = await startRun({ ...worker, openModel: async () => commandModel(script, told) }, item, new AbortController().signal);
  assert.equal(outcome.state, 'done', outcome.reason);
  return told.join('\n');
}

function sandboxesOf(story: ShellStory): string[] {
  return story.live().filter((name) => name.startsWith('bwrap-'));
}

test('runs of one process get sandboxes that were started ahead, each its own, and closing leaves nothing', { skip }, async () => {
  await using story = newShellStory({ agentYaml, owner });
  fs.writeFileSync(path.join(story.one.home, 'clawhold.yaml'), 'version: 1\nmodel: test/command\n');
  const pool = openSandboxPool({ settings: () => ({ size: 2, seconds: 60 }) });
  const app = wire({ env: story.one.env, cwd: story.one.root, sandboxPool: pool });
  const worker = await app.worker({ emit: () => {}, surface: 'deny' });
  const ahead = async (): Promise<string> => {
    for (;;) {
      const [one] = sandboxesOf(story);
      if (pool.warmCount === 1 && one !== undefined) return one;
      await sleep(20);
    }
  };

  assert.match(await run(worker, 'test ! -e /tmp/mark && touch /tmp/mark && echo first'), /exit code 0[^]*first/);
  const second = await ahead();
  assert.match(await run(worker, 'test ! -e /tmp/mark && touch /tmp/mark && echo second'), /exit code 0[^]*second/);
  assert.equal(fs.existsSync(path.join(story.runtimeDir, 'live', second)), false);
  const third = await ahead();
  assert.match(await run(worker, 'test ! -e /tmp/mark && echo third'), /exit code 0[^]*third/);
  await app[Symbol.asyncDispose]();
  await pool[Symbol.asyncDispose]();

  assert.notEqual(second, third);
  assert.deepEqual(fs.readdirSync(path.join(story.runtimeDir, 'live')), []);
  assert.deepEqual(fs.readdirSync(story.one.workspace), []);
});

test('what a person changes in a workspace while a sandbox waits for its run is not taken for the sandbox’s doing', { skip }, async () => {
  await using story = newShellStory({ agentYaml, owner });
  fs.writeFileSync(path.join(story.one.home, 'clawhold.yaml'), 'version: 1\nmodel: test/command\n');
  const hook = path.join(story.one.workspace, 'sub/.git/hooks/pre-commit');
  {
    await using pool = openSandboxPool({ settings: () => ({ size: 2, seconds: 60 }) });
    await using app = wire({ env: story.one.env, cwd: story.one.root, sandboxPool: pool });
    const worker = await app.worker({ emit: () => {}, surface: 'deny' });
    await run(worker, 'echo one');
    while (pool.warmCount === 0) await sleep(20);
    fs.mkdirSync(path.dirname(hook), { recursive: true });
    fs.writeFileSync(hook, '#!/bin/sh\n', { mode: 0o755 });
    await sleep(50);
    await run(worker, 'mkdir -p other/.git/hooks && echo evil > other/.git/hooks/pre-commit');
  }

  assert.ok(fs.existsSync(hook));
  assert.equal(fs.existsSync(path.join(story.one.workspace, 'other/.git/hooks/pre-commit')), false);
});
