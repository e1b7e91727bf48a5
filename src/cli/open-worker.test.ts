import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import { sha256 } from '../contracts/json.ts';
import type { AcceptedEntry } from '../worker/continue-run.ts';
import { startRun } from '../worker/start-run.ts';
import { createHome } from '../state/home.ts';
import { makeAgent } from './make-agent.ts';
import { wire } from './wire.ts';

const main = parseAgentId('main');
const tenant = parseTenantId('default');

test('a worker that remembers what it made of files begins each run with what they say then, and with the agent that it names', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'worker-'));
  const home = createHome(root);
  const other = parseAgentId('other');
  for (const agent of [main, other]) await makeAgent(home, { tenant, agent, template: 'scribe' });
  await using app = wire({ env: { CLAWHOLD_CONFIG_HOME: path.join(root, 'user') }, cwd: root });
  fs.writeFileSync(path.join(home.dir, 'clawhold.yaml'), 'version: 1\nmodel: scripted/hello\n');
  const worker = await app.worker({ surface: 'deny', emit: () => {} });
  const begin = async (agent = main): Promise<{ readonly accepted: AcceptedEntry; readonly system: string }> => {
    const run = newRunId(Date.now());
    const principal = { kind: 'user', id: 'me' } as const;
    const item = { kind: 'agent', runId: run, sessionId: newSessionId(1), tenant, agent, door: 'cli', principal, input: 'x' } as const;
    await startRun(worker, item, new AbortController().signal);
    const lines = fs
      .readFileSync(path.join(home.runDir(tenant, run), 'journal.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const entries = lines.map((line) => JSON.parse(line) as JournalEntry);
    const prompt = entries.find((entry) => entry.kind === 'prompt');
    return { accepted: entries[0] as AcceptedEntry, system: prompt?.system ?? '' };
  };
  const [soul, config] = ['SOUL.md', 'agent.yaml'].map((name) => path.join(home.agentDir(tenant, main), name)) as [string, string];
  const policy = path.join(home.dir, 'policies', 'platform.yaml');
  const pinnedOf = ({ pinned }: AcceptedEntry, name: string): string | undefined => pinned.files.find((file) => file.name === name)?.sha256;
  // What changed a moment ago is read anew and not kept.
  await delay(150);
  const before = await begin();
  const again = await begin();
  assert.deepEqual(again.accepted.pinned, before.accepted.pinned);
  assert.equal(again.system, before.system);

  fs.writeFileSync(soul, 'Another soul.\n');
  const ofSoul = await begin();
  fs.appendFileSync(config, 'memory: []\n');
  const ofConfig = await begin();
  await delay(150);
  await begin();
  fs.mkdirSync(path.dirname(policy), { recursive: true });
  fs.writeFileSync(policy, 'version: 1\nrules: [{ id: none, deny: fs.write }]\n');
  const ofPolicy = await begin();
  const ofOther = await begin(other);

  assert.equal(pinnedOf(ofSoul.accepted, 'SOUL.md'), sha256('Another soul.\n'));
  assert.notEqual(ofSoul.system, before.system);
  assert.equal(pinnedOf(ofConfig.accepted, 'agent.yaml'), sha256(fs.readFileSync(config, 'utf8')));
  assert.notEqual(ofConfig.accepted.pinned.policyHash, ofSoul.accepted.pinned.policyHash);
  assert.notEqual(ofPolicy.accepted.pinned.policyHash, ofConfig.accepted.pinned.policyHash);
  assert.notEqual(ofOther.accepted.pinned.policyHash, ofPolicy.accepted.pinned.policyHash);
  assert.notEqual(ofOther.system, ofPolicy.system);
});
