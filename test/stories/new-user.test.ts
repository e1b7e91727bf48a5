import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { auditVerify } from '../../src/cli/commands/audit-verify.ts';
import { parseTenantId } from '../../src/contracts/ids.ts';
import { sha256 } from '../../src/contracts/json.ts';
import { homeAt } from '../../src/state/home.ts';
import { filesBelow, journalOf, newInstallation, type Document, type Finished, type Installation } from './installation.ts';

/** The path of somebody who has just cloned the repository, step by step in one folder: each test reads what the steps before left. */
const first: { one: Installation; init: Finished; asked: Finished; denied: Finished } = Object.create(null);

before(async () => {
  const one = newInstallation();
  fs.rmSync(one.home, { recursive: true });
  fs.rmSync(one.workspace, { recursive: true });
  const init = await one.cli(['init', '--template', 'scribe', '--json']);
  one.write('workspace/notes.md', 'The launch is on Tuesday.\n');
  const asked = await one.cli(['ask', 'hello', '--json']);
  const args = JSON.stringify({ path: 'script.sh', content: 'echo' });
  const denied = await one.cli(['tools', 'call', 'fs.write', '--args', args, '--json']);
  Object.assign(first, { one, init, asked, denied });
});

after(() => first.one[Symbol.dispose]());

test('init makes the documented tree and says which model answers', () => {
  const { one, init } = first;
  const agent = path.join(one.home, 'tenants/default/agents/main');

  assert.equal(init.code, 0, init.stderr);
  assert.deepEqual(
    fs
      .readdirSync(agent)
      .filter((name) => !name.endsWith('.bak'))
      .toSorted(),
    ['DEVPLAN.md', 'HANDOFF.md', 'RULES.md', 'SOUL.md', 'SPECPLAN.md', 'TOOLS.md', 'agent.yaml', 'memory'],
  );
  assert.deepEqual([init.json['model'], init.json['isScripted']], ['scripted/demo', true]);
  assert.equal(fs.statSync(one.home).mode & 0o077, 0);
});

test('ask "hello" works offline with exit 0, says that a script answers, and leaves a valid bundle', () => {
  const { bundle, isScripted, output, run, session } = first.asked.json;
  const files = filesBelow(bundle);
  const record: Document = JSON.parse(String(files.get('run.json')));
  const [cost] = String(files.get('cost_telemetry.jsonl')).trim().split('\n');

  assert.deepEqual([first.asked.code, isScripted], [0, true]);
  assert.match(output, /scripted model/);
  assert.deepEqual([...files.keys()], ['cost_telemetry.jsonl', 'input.md', 'journal.jsonl', 'output.md', 'run.json']);
  assert.equal(String(files.get('input.md')), 'hello\n');
  assert.equal(String(files.get('output.md')).trimEnd(), output.trimEnd());
  assert.deepEqual([record.id, record.session, record.state, record.isScripted], [run, session, 'done', true]);
  assert.ok(record.durationMs >= 0 && record.turns === 1);
  assert.equal(JSON.parse(cost ?? '{}').usage.inputTokens > 0, true);
});

test('the ledger names the hash of every file of the bundle and the instructions that the run had', async () => {
  const { bundle, run } = first.asked.json;
  const [end] = (await first.one.cli(['audit', 'query', '--run', run, '--type', 'run.end', '--json'])).stdout.trim().split('\n');
  const files = Object.fromEntries([...filesBelow(bundle)].map(([name, bytes]) => [name, sha256(bytes)]));

  assert.deepEqual(JSON.parse(end ?? '{}').files, files);
  assert.match(JSON.parse(end ?? '{}').instructions, /^[0-9a-f]{64}$/);
});

test('a denied call exits 3, is recorded, and policy explain names the same rule', async () => {
  const { one, denied } = first;
  const { run } = denied.json;
  const decisions = journalOf(denied.json['bundle']).find(({ kind }) => kind === 'decisions');
  const [record] = (await one.cli(['audit', 'query', '--run', run, '--type', 'policy.denied', '--json'])).stdout.trim().split('\n');
  const explained = await one.cli(['policy', 'explain', run, '1.1', '--json']);

  assert.equal(denied.code, 3, denied.stdout);
  assert.equal(fs.existsSync(path.join(one.workspace, 'script.sh')), false);
  assert.equal(decisions?.calls[0].decision.verdict, 'deny');
  assert.deepEqual(JSON.parse(record ?? '{}').rule, decisions?.calls[0].decision.rule);
  assert.ok(explained.stdout.includes(decisions?.calls[0].decision.rule.id), explained.stdout + explained.stderr);
});

test('two replays are byte-identical, and another policy shows what it would have blocked', async () => {
  const { one, denied } = first;
  const read = await one.cli(['tools', 'call', 'fs.read', '--args', '{"path":"notes.md"}', '--json']);
  const policy = one.write('strict.yaml', 'version: 1\nrules:\n  - { id: no-reads, deny: "fs.*" }\n');
  const tree = filesBelow(one.home);

  const once = await one.cli(['runs', 'replay', read.json['run'], '--json']);
  const second = await one.cli(['runs', 'replay', read.json['run'], '--json']);
  const strict = await one.cli(['runs', 'replay', read.json['run'], '--policy', policy, '--json']);
  const deniedAgain = await one.cli(['runs', 'replay', denied.json['run'], '--json']);

  assert.deepEqual([once.code, once.json['isIdentical'], once.stdout], [0, true, second.stdout]);
  assert.deepEqual([strict.json['changed'][0].was, strict.json['changed'][0].would], ['allow', 'deny']);
  assert.equal(deniedAgain.json['isIdentical'], true);
  for (const [name, bytes] of tree)
    if (!name.startsWith('state.db')) assert.deepEqual(fs.readFileSync(path.join(one.home, name)), bytes, name);
});

test('the ledger verifies, and after one flipped byte anywhere in it verify exits 6', async () => {
  const { one } = first;
  const keyFile = path.join(one.root, 'user/config/keys/ledger.ed25519');
  const context = { home: homeAt(one.home), tenant: parseTenantId('default'), keyFile };
  const ledger = path.join(one.home, 'tenants/default/ledger');
  const files = [...filesBelow(ledger).keys()].filter((name) => name.endsWith('.jsonl'));
  const unseen: string[] = [];

  const whole = await one.cli(['audit', 'verify', '--schema', '--json']);
  for (const name of files) {
    const file = path.join(ledger, name);
    const bytes = fs.readFileSync(file);
    for (let at = 0; at < bytes.length; at += 13) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      fs.writeFileSync(file, flipped);
      if ((await auditVerify(context, {})).exitCode !== 6) unseen.push(`${name}:${at}`);
    }
    fs.writeFileSync(file, bytes);
  }
  const last = path.join(ledger, files.at(-1) ?? '');
  fs.writeFileSync(last, fs.readFileSync(last).fill(65, 40, 41));
  const broken = await one.cli(['audit', 'verify', '--json']);

  assert.deepEqual([whole.code, unseen], [0, []]);
  assert.equal(broken.code, 6, broken.stdout);
  assert.match(broken.json['problems'][0].place ?? JSON.stringify(broken.json['problems'][0]), /000001\.jsonl|checkpoints/);
});
