import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { newInstallation } from './installation.ts';

const scripted = 'model: scripted/demo\n';

test('an agent that does not exist is one sentence in every command that takes one', async () => {
  using one = newInstallation({ clawholdYaml: scripted });
  const commands = [
    ['ask', '-a', 'ghost', 'hi'],
    ['run', '-a', 'ghost'],
    ['agents', 'show', 'ghost'],
    ['agents', 'validate', 'ghost'],
    ['policy', 'show', '-a', 'ghost'],
    ['policy', 'explain', '-a', 'ghost', '--tool', 'fs.read'],
    ['tools', 'call', 'time.now', '-a', 'ghost', '--args', '{}'],
  ];

  for (const args of commands) {
    const { code, stderr } = await one.cli(args);
    assert.deepEqual([code, stderr.split('\n').length], [2, 2], `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /There is no agent "ghost" .*Use one of these: main/);
  }
});

test('what cannot be a run is no empty answer of the ledger, and a damaged queue is told apart from a full disk', async () => {
  using one = newInstallation();
  await one.cli(['tokens', 'create', '--role', 'viewer']);

  const query = await one.cli(['audit', 'query', '--run', 'nope', '--json']);
  one.write('.clawhold/queue.db', 'this is no database, but it is long enough to be looked at as if it were one, is it not');
  const status = await one.cli(['status', '--json']);

  assert.deepEqual([query.code, query.json['error'].code], [2, 'contracts.bad-id']);
  assert.deepEqual([status.code, status.json['error'].code], [2, 'state.database-damaged']);
});

test('a workspace that is not there is refused instead of made', async () => {
  using one = newInstallation({ clawholdYaml: scripted });

  const asked = await one.cli(['ask', '--workspace', 'wrokspace', 'hi']);

  assert.equal(asked.code, 2);
  assert.match(asked.stderr, /--workspace names .*wrokspace, which is not a folder\. Make it first/);
  assert.equal(fs.existsSync(path.join(one.root, 'wrokspace')), false);
});

test('a tool call by hand that fails is a failed command: 1, or 2 for a mistake, or 3 for a denial', async () => {
  using one = newInstallation({ clawholdYaml: scripted, agentYaml: 'workspace: workspace\ngrants:\n  fs.read: {}\n' });
  const calls = [
    [1, 'fs.not-found', 'fs.read', '{"path": "none.md"}'],
    [2, 'tool.bad-arguments', 'fs.read', '{"path": 5}'],
    [2, 'tool.unknown', 'fs.raed', '{}'],
    [3, 'policy.denied', 'fs.write', '{"path": "a.md", "content": "a"}'],
  ] as const;

  for (const [exit, error, tool, args] of calls) {
    const { code, json } = await one.cli(['tools', 'call', tool, '--args', args, '--json']);
    assert.deepEqual([code, json.ok, json.error.code, json.state], [exit, false, error, 'done'], tool);
    assert.ok(json.error.message.length > 0 && json.bundle.length > 0);
  }
});

test('config get and set tell a field that does not exist from one that is not set, and change nothing', async () => {
  using one = newInstallation({ clawholdYaml: `# mine\n${scripted}` });
  const before = one.read('.clawhold/clawhold.yaml');

  const unset = await one.cli(['config', 'get', 'limits.turns']);
  const unknown = await one.cli(['config', 'get', 'modle', '--json']);
  const wrong = await one.cli(['config', 'set', 'limits.turns', 'many']);
  const misspelt = await one.cli(['config', 'set', 'modle', 'x/y']);

  assert.deepEqual([unset.code, unset.stdout], [0, 'limits.turns is not set, so its default holds; see docs/CONFIG.md.\n']);
  assert.deepEqual([unknown.code, unknown.json.error.code], [2, 'cli.bad-key']);
  assert.match(unknown.json.error.message, /Known fields are: version, model/);
  assert.match(wrong.stderr, /limits\.turns cannot be "many": limits\.turns must be a number, not text\. Nothing was changed/);
  assert.match(misspelt.stderr, /modle cannot be "x\/y": modle is not a known field/);
  assert.equal(one.read('.clawhold/clawhold.yaml'), before);
});

test('an exported ledger is verified where there is no home, and an empty folder is not', async () => {
  using one = newInstallation({ clawholdYaml: scripted });
  const elsewhere = { cwd: '/', env: { CLAWHOLD_HOME: '', CLAWHOLD_CONFIG_HOME: path.join(one.root, 'other') } };
  await one.cli(['ask', 'hi']);
  const out = path.join(one.root, 'out');
  const { publicKey } = (await one.cli(['audit', 'export', '--out', out, '--json'])).json;
  fs.mkdirSync(path.join(one.root, 'nothing'));

  const verified = await one.cli(['audit', 'verify', '--dir', out, '--public-key', publicKey], elsewhere);
  const empty = await one.cli(['audit', 'verify', '--dir', path.join(one.root, 'nothing')], elsewhere);

  assert.deepEqual([verified.code, verified.stdout.startsWith('ledger ok: ')], [0, true], verified.stderr);
  assert.deepEqual([empty.code, empty.stdout], [2, '']);
  assert.match(empty.stderr, /so nothing was verified/);
});

test('a tool call by hand that needs an answer waits for it, and is done by the command that approves', async () => {
  using one = newInstallation({ clawholdYaml: scripted, agentYaml: 'workspace: workspace\ngrants:\n  fs.write: {ask: true}\n' });
  const call = ['tools', 'call', 'fs.write', '--args', '{"path": "a.md", "content": "a\\n"}', '--json'];

  const refused = await one.cli(call);
  const parked = await one.cli([...call, '--approvals', 'wait']);
  const shown = await one.cli(['approvals', 'show', parked.json.waiting[0]]);
  const approved = await one.cli(['approvals', 'approve', parked.json.waiting[0], '--resume', '--json']);

  assert.deepEqual([refused.code, refused.json.error.code], [4, 'approval.unavailable']);
  assert.deepEqual([parked.code, parked.json.state], [4, 'waiting']);
  assert.match(shown.stdout, /answer with: clawhold approvals approve apr_/);
  assert.deepEqual([approved.code, approved.json.state], [0, 'done'], approved.stdout);
  assert.equal(one.read('workspace/a.md'), 'a\n');
});
