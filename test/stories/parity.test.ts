import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOpenAiServer, type ServerTurn } from '../servers/openai-server.ts';
import { parseRunId, parseTenantId } from '../../src/contracts/ids.ts';
import { homeAt } from '../../src/state/home.ts';
import { journalOf, newInstallation, type Document, type Installation } from './installation.ts';
import { serveHome } from './served.ts';

const calls = [
  { tool: 'fs.read', args: { path: 'a.md' } },
  { tool: 'fs.read', args: { path: '../a.md' } },
  { tool: 'fs.write', args: { path: 'docs/a.md', content: 'x' } },
  { tool: 'fs.write', args: { path: 'a.sh', content: 'x' } },
  { tool: 'fs.write', args: { path: 'ask.md', content: 'x' } },
  { tool: 'fs.edit', args: { path: 'a.md', edits: [{ oldText: 'a', newText: 'b' }] } },
  { tool: 'time.now', args: {} },
  { tool: 'no.such', args: {} },
] as const;

const agentYaml = `task: Work with a.md, ../a.md, docs/a.md, a.sh and ask.md.
grants:
  fs.read: {}
  fs.write: [{ paths: ["docs/**"] }, { paths: [ask.md], ask: true }]
`;

type Answer = readonly [verdict: string, rule: string];

function answerOf(call: Document): Answer {
  const { verdict, rule } = call.decision;
  return [verdict, `${rule.layer} ${rule.id} ${rule.file}:${rule.line}`];
}

test('the same call gets the same decision by the same rule through ask, run, tools call, a resume and a replay', async () => {
  const turn: ServerTurn = { toolCalls: calls.map(({ tool, args }) => ({ name: tool.replace('.', '_'), args })) };
  await using server = await startOpenAiServer({
    respond: ({ body }) => ((body['messages'] as unknown[]).length === 2 ? turn : { text: 'over' }),
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml });
  const task = 'Work with a.md, ../a.md, docs/a.md, a.sh and ask.md.';
  const decided = (bundle: string, which: 'find' | 'findLast'): Answer[] => {
    const entry = journalOf(bundle)[which](({ kind }) => kind === 'decisions');
    return entry?.calls.map(answerOf);
  };

  const asked = (await one.cli(['ask', task, '--json'])).json;
  const ran = (await one.cli(['run', '--json', '--approvals', 'wait'])).json;
  const resumed = (await one.cli(['approvals', 'approve', ran.waiting[0], '--resume', '--json'])).json;
  const replayed = (await one.cli(['runs', 'replay', asked.run, '--json'])).json;
  const called: Answer[] = [];
  for (const { tool, args } of calls) {
    const { bundle } = (await one.cli(['tools', 'call', tool, '--args', JSON.stringify(args), '--json'])).json;
    called.push(answerOf(journalOf(bundle).find(({ kind }) => kind === 'decisions')?.calls[0]));
  }

  const answers = decided(asked.bundle, 'find');
  assert.deepEqual(
    answers.map(([verdict]) => verdict),
    ['allow', 'deny', 'allow', 'deny', 'ask', 'deny', 'deny', 'deny'],
  );
  assert.equal(resumed.state, 'done');
  assert.deepEqual(decided(ran.bundle, 'find'), answers);
  assert.deepEqual(decided(ran.bundle, 'findLast'), answers);
  assert.deepEqual(called, answers);
  assert.equal(replayed.isIdentical, true);
  assert.equal(replayed.decisions.length, calls.length);
});

test('the same request through the command line, HTTP and a schedule gets the same decisions by the same rules', async () => {
  const turn: ServerTurn = { toolCalls: calls.map(({ tool, args }) => ({ name: tool.replace('.', '_'), args })) };
  await using server = await startOpenAiServer({
    respond: ({ body }) => ((body['messages'] as unknown[]).length === 2 ? turn : { text: 'over' }),
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml });
  const task = 'Work with a.md, ../a.md, docs/a.md, a.sh and ask.md.';
  await using served = await serveHome(one);

  const asked = (await one.cli(['ask', task, '--json', '--approvals', 'wait'])).json;
  const posted = await served.reached(await served.post(task), 'waiting');
  await one.cli(['cron', 'add', '--id', 'parity', '--agent', 'main', '--every', '1d', '--message', task, '--json']);
  await one.cli(['cron', 'run', 'parity', '--json']);
  const [fired] = await runsOf(one, 'cron');
  await served.reached(fired.id, 'waiting');

  const bundles = [asked.run, posted.id, fired.id].map((run: string) => homeAt(one.home).runDir(parseTenantId('default'), parseRunId(run)));
  const [first, ...others] = bundles.map((bundle) =>
    journalOf(bundle)
      .find(({ kind }) => kind === 'decisions')
      ?.calls.map(answerOf),
  );
  assert.equal(first.length, calls.length);
  assert.deepEqual(others, [first, first]);
});

/** Runs that came through a door, once there are any. */
async function runsOf(one: Installation, door: string): Promise<Document[]> {
  for (;;) {
    const { runs } = (await one.cli(['runs', 'list', '--json'])).json;
    const found = runs.filter((run: Document) => run.door === door);
    if (found.length > 0) return found;
  }
}
