import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startOpenAiServer, type ServerTurn } from '../servers/openai-server.ts';
import { journalOf, messagesOf, newInstallation, type Document, type Finished, type Installation } from './installation.ts';

const askForWrites = 'workspace: workspace\ngrants:\n  fs.read: {}\n  fs.write: { ask: true }\n  fs.edit: { ask: true }\n';
const write = { name: 'fs_write', args: { path: 'a.md', content: 'by the agent\n' } };
const edit = { name: 'fs_edit', args: { path: 'a.md', edits: [{ oldText: 'one', newText: 'two' }] } };

interface Parked {
  readonly one: Installation;
  readonly asked: Finished;
  readonly run: string;
  readonly id: string;
  readonly bundle: string;
}

/** A run that waits for a human, in a home of its own. */
async function park(t: TestContext, call: NonNullable<ServerTurn['toolCalls']>[number], clawholdYaml?: string): Promise<Parked> {
  const server = await startOpenAiServer({ turns: [{ toolCalls: [call] }, { text: 'over' }] });
  const one = newInstallation({
    openAi: server.baseUrl,
    agentYaml: askForWrites,
    ...(clawholdYaml === undefined ? {} : { clawholdYaml }),
  });
  t.after(async () => {
    await server.close();
    one[Symbol.dispose]();
  });
  one.write('workspace/a.md', 'one\n');
  const asked = await one.cli(['ask', 'Change a.md', '--json', '--approvals', 'wait']);
  const { run, waiting, bundle } = asked.json;
  return { one, asked, run, id: waiting[0], bundle };
}

function lastResult(bundle: string): Document {
  return journalOf(bundle).findLast(({ kind }) => kind === 'result')?.result;
}

test('a question parks the run with exit 4, and an approval in another process performs it', async (t) => {
  const { one, asked, run, id } = await park(t, write);

  const shown = await one.cli(['approvals', 'show', id]);
  const listed = await one.cli(['approvals', 'list', '--json']);
  const stillWaiting = await one.cli(['runs', 'resume', run, '--json']);
  const approved = await one.cli(['approvals', 'approve', id]);
  const resumed = await one.cli(['runs', 'resume', run, '--json']);

  assert.equal(asked.code, 4);
  assert.deepEqual([asked.json['ok'], asked.json['error'].remedy, asked.json['state']], [false, 'ask-human', 'waiting']);
  assert.match(shown.stdout, /main wants to call fs\.write/);
  assert.match(shown.stdout, /-one\n\+by the agent/);
  assert.equal(listed.json['approvals'].length, 1);
  assert.equal(stillWaiting.code, 4);
  assert.equal(approved.code, 0, approved.stderr);
  assert.equal(resumed.code, 0, resumed.stdout);
  assert.equal(one.read('workspace/a.md'), 'by the agent\n');
  assert.equal((await one.cli(['audit', 'verify', '--schema'])).code, 0);
});

test('a denied question becomes a typed result that the model sees, and it is answered once', async (t) => {
  const { one, id, bundle } = await park(t, write);

  const denied = await one.cli(['approvals', 'deny', id, '--resume', '--json']);
  const twice = await one.cli(['approvals', 'approve', id, '--json']);

  assert.equal(denied.code, 0, denied.stdout);
  assert.equal(lastResult(bundle).code, 'approval.denied');
  assert.match(lastResult(bundle).text, /fs\.write was not done: tester said no/);
  assert.deepEqual([twice.code, twice.json['error'].code], [2, 'cli.approval-closed']);
  assert.equal(one.read('workspace/a.md'), 'one\n');
});

test('an approval does not hold for a target that changed by one byte', async (t) => {
  const { one, id, bundle } = await park(t, edit);

  one.write('workspace/a.md', 'one.\n');
  const resumed = await one.cli(['approvals', 'approve', id, '--resume', '--json']);

  assert.equal(resumed.code, 0);
  assert.equal(lastResult(bundle).code, 'approval.target-changed');
  assert.equal(one.read('workspace/a.md'), 'one.\n');
});

test('an approval never overrides a policy that denies by now', async (t) => {
  const { one, run, id, bundle } = await park(t, write);

  await one.cli(['approvals', 'approve', id]);
  one.write(
    '.clawhold/tenants/default/policy.yaml',
    'version: 1\nrules:\n  - { id: all, allow: "*" }\n  - { id: frozen, deny: fs.write }\n',
  );
  const resumed = await one.cli(['runs', 'resume', run, '--json']);

  assert.equal(resumed.code, 0);
  assert.equal(lastResult(bundle).code, 'policy.denied');
  assert.equal(one.read('workspace/a.md'), 'one\n');
});

test('an approval of another request does not hold', async (t) => {
  const { one, run, id, bundle } = await park(t, write);

  await one.cli(['approvals', 'approve', id]);
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(path.join(one.home, 'state.db'));
  database.prepare('UPDATE approvals SET request_hash = ? WHERE id = ?').run('0'.repeat(64), id);
  database.close();
  await one.cli(['runs', 'resume', run, '--json']);

  assert.equal(lastResult(bundle).code, 'approval.request-changed');
  assert.equal(one.read('workspace/a.md'), 'one\n');
});

test('a question that nobody answered in time is expired for the model, and cannot be answered any more', async (t) => {
  const { one, run, id, bundle } = await park(t, write, 'model: test/model\napprovals: { expiresMinutes: 1 }\n');

  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(path.join(one.home, 'state.db'));
  database.prepare('UPDATE approvals SET expires_ms = ? WHERE id = ?').run(Date.now() - 1, id);
  database.close();
  const late = await one.cli(['approvals', 'approve', id, '--json']);
  await one.cli(['runs', 'resume', run]);

  assert.deepEqual([late.code, late.json['error'].code], [2, 'cli.approval-closed']);
  assert.match(late.json['error'].message, /already expired/);
  assert.equal(lastResult(bundle).code, 'approval.expired');
  assert.equal(one.read('workspace/a.md'), 'one\n');
});

test('where nobody can be asked, the call is denied at once and the run goes on', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [write] }, { text: 'without it then' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: askForWrites });

  const asked = await one.cli(['ask', 'Change a.md', '--json']);
  const told = messagesOf(server.requests[1]).at(-1);

  assert.deepEqual([asked.code, asked.json['output']], [0, 'without it then']);
  assert.match(told.content, /nobody can be asked in this run/);
  assert.equal(lastResult(asked.json['bundle']).code, 'approval.unavailable');
});

test('a second question of a run that was resumed by an answer waits too', async () => {
  const second = { name: 'fs_write', args: { path: 'b.md', content: 'second\n' } };
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [write] }, { toolCalls: [second] }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: askForWrites });

  const { waiting } = (await one.cli(['ask', 'Write a.md and b.md', '--json', '--approvals', 'wait'])).json;
  const first = await one.cli(['approvals', 'approve', waiting[0], '--resume', '--json']);
  const last = await one.cli(['approvals', 'approve', first.json['waiting'][0], '--resume', '--json']);

  assert.deepEqual([first.code, last.code], [4, 0]);
  assert.equal(one.read('workspace/b.md'), 'second\n');
});

test('characters that deceive are visible in the question', async (t) => {
  const hostile = 'a\u202e\u001b[2J\u200b\u{e0041}b\r';
  const { one, id } = await park(t, { name: 'fs_write', args: { path: 'a.md', content: hostile } });

  const { stdout } = await one.cli(['approvals', 'show', id]);

  for (const code of ['U+202E', 'U+001B', 'U+200B', 'U+E0041']) assert.ok(stdout.includes(code), `${code} is not shown: ${stdout}`);
  assert.doesNotMatch(stdout, /[\u202e\u200b\u{e0041}]|[^\P{Cc}\n]/u);
});

const hasScript = spawnSync('script', ['--version']).status === 0;

test('a person answers at the terminal', { skip: hasScript ? false : 'util-linux script is not installed' }, async () => {
  for (const [answer, text] of [
    ['yes', 'by the agent\n'],
    ['y', 'one\n'],
  ] as const) {
    await using server = await startOpenAiServer({ turns: [{ toolCalls: [write] }, { text: 'over' }] });
    using one = newInstallation({ openAi: server.baseUrl, agentYaml: askForWrites });
    one.write('workspace/a.md', 'one\n');

    const { code, shown } = await onTerminal(one, ['ask', 'Change a.md'], answer);

    assert.equal(code, 0, shown);
    assert.match(shown, /-one/);
    assert.equal(one.read('workspace/a.md'), text);
  }
});

/** Runs the program on a pseudo terminal and types the answer once it asks. */
async function onTerminal(one: Installation, args: readonly string[], answer: string): Promise<{ code: number | null; shown: string }> {
  const { spawn } = await import('node:child_process');
  const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
  const line = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ');
  const log = path.join(one.root, 'typescript');
  const child = spawn('script', ['-qefc', line, log], {
    cwd: one.root,
    env: { ...one.env, TERM: 'dumb' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const isAsked = shown.includes('anything else to refuse');
    shown += text;
    if (!isAsked && shown.includes('anything else to refuse')) child.stdin.write(`${answer}\n`);
  });
  const timer = setTimeout(() => child.kill(), 20_000);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  fs.rmSync(log, { force: true });
  return { code, shown };
}

test('an edit that does not apply shows no line of the file before a human has agreed to it', async () => {
  await using server = await startOpenAiServer({
    turns: [
      { text: '', toolCalls: [{ name: 'fs_edit', args: { path: 'a.md', edits: [{ oldText: 'the pin is 0000', newText: 'x' }] } }] },
      { text: 'done' },
    ],
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: 'workspace: workspace\ngrants:\n  fs.edit: { ask: true }\n' });
  one.write('workspace/a.md', 'the pin is 4711\n');

  const finished = await one.cli(['ask', 'edit it', '--json', '--approvals', 'wait']);

  const told = JSON.stringify(server.requests.at(-1)?.body['messages']);
  assert.equal(finished.code, 0, finished.stderr);
  assert.match(told, /was not changed/);
  assert.doesNotMatch(told, /4711/);
});

test('with distinctApprover, who asked cannot answer, at a terminal neither, and another person can', async (t) => {
  const { one, asked, run, id } = await park(t, write, 'model: test/model\napprovals: { distinctApprover: true }\n');

  const own = await one.cli(['approvals', 'approve', id, '--json']);
  const atTerminal = await one.cli(['runs', 'resume', run, '--approvals', 'terminal', '--json'], { stdin: 'yes\n' });
  const other = await one.cli(['approvals', 'approve', id, '--json'], { env: { USER: 'somebody-else' } });
  const resumed = await one.cli(['runs', 'resume', run, '--json']);

  assert.equal(asked.code, 4);
  assert.deepEqual([own.code, own.json.error.code], [2, 'cli.same-person']);
  assert.equal(atTerminal.code, 4);
  assert.equal(other.code, 0, other.stderr);
  assert.equal(resumed.code, 0, resumed.stdout);
  assert.equal(one.read('workspace/a.md'), 'by the agent\n');
});
