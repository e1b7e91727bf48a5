import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { RunId } from '../../src/contracts/ids.ts';
import { startOpenAiServer, type ModelServer, type RecordedRequest, type ServerTurn } from '../servers/openai-server.ts';
import { copyInstallation, filesBelow, journalOf, newInstallation, type Document, type Installation } from './installation.ts';
import { inProcess, type InProcess } from './in-process.ts';

const turns: readonly ServerTurn[] = [
  {
    text: 'First I look.',
    toolCalls: [
      { name: 'fs_read', args: { path: 'a.md' } },
      { name: 'fs_write', args: { path: 'b.md', content: 'made\n' } },
      { name: 'fs_edit', args: { path: 'a.md', edits: [{ oldText: 'old', newText: 'new' }] } },
      { name: 'fs_write', args: { path: '../out.md', content: 'x' } },
    ],
  },
  { text: 'All done.' },
];

/** The model's turn follows from the conversation alone, as with a real one. */
function turnOf({ body }: RecordedRequest): number {
  return (body['messages'] as readonly { readonly role: string }[]).filter(({ role }) => role === 'assistant').length + 1;
}

function respond(request: RecordedRequest): ServerTurn {
  if (JSON.stringify(request.body['messages']).includes('warm up')) return {};
  return turns[turnOf(request) - 1] ?? {};
}

async function dying(
  one: Installation,
  at: number,
  how: 'before' | 'torn',
): Promise<{ readonly signal: string | null; readonly stderr: string }> {
  const argv = [path.join(import.meta.dirname, 'dying-cli.ts'), String(at), how, 'ask', 'go on', '--json'];
  const child = spawn(process.execPath, argv, { cwd: one.root, env: one.env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
  const [, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { signal, stderr };
}

/** A home that has seen a run, so that no first-time work stands between the tests and the record. */
async function prepare(server: ModelServer): Promise<Installation> {
  const one = newInstallation({ openAi: server.baseUrl, env: { TEST_KEY: 'key-of-the-first-installation' } });
  one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${server.baseUrl}, keyEnv: TEST_KEY }\n`);
  one.write('workspace/a.md', 'the old text\n');
  const { code, stdout } = await one.cli(['ask', 'warm up', '--json']);
  assert.equal(code, 0, stdout);
  return one;
}

/** What an uninterrupted run leaves, and how many writes it makes. */
async function uninterrupted(prepared: Installation): Promise<{ readonly files: object; readonly writes: number }> {
  using one = copyInstallation(prepared, { TEST_KEY: 'key-of-the-uninterrupted' });
  const { stderr } = await dying(one, 0, 'before');
  return { files: workspaceOf(one), writes: Number(/writes: (\d+)/.exec(stderr)?.[1]) };
}

function workspaceOf(one: Installation): object {
  return Object.fromEntries([...filesBelow(one.workspace)].map(([name, bytes]) => [name, bytes.toString('utf8')]));
}

interface World {
  readonly prepared: Installation;
  readonly server: ModelServer;
  readonly files: object;
}

interface Point {
  readonly at: number;
  readonly how: 'before' | 'torn';
}

/** Kills a run at one write, continues it in another process, and holds the result to the table of the record. */
async function killAndResume({ prepared, server, files: expected }: World, { at, how }: Point): Promise<string> {
  const key = `key-of-the-one-killed-${how}-${at}`;
  using one = copyInstallation(prepared, { TEST_KEY: key });
  const requests = (): RecordedRequest[] => server.requests.filter(({ headers }) => headers['authorization'] === `Bearer ${key}`);

  const { signal, stderr } = await dying(one, at, how);
  assert.equal(signal, 'SIGKILL', `it was not killed: ${stderr}`);
  await using after = inProcess(one);
  const [row, warm] = await after.runs();
  if (row === undefined || warm === undefined) return await startsAgain(one, expected);
  const state = await after.liveState(row.id);
  if (state === 'done') return await wasDone(after, row.id);
  assert.equal(state, 'interrupted');
  const bundle = after.bundleOf(row.id);
  const before = fs.existsSync(path.join(bundle, 'journal.jsonl')) ? wholeLines(bundle) : [];
  const asked = requests().length;
  if (before.length === 0) return await startsAgain(one, expected);
  const outcome = await after.resume(row.id);

  assert.deepEqual([outcome.state, outcome.output], ['done', 'All done.']);
  assert.deepEqual(workspaceOf(one), expected);
  const answered = new Set(before.filter(({ kind }) => kind === 'model.answer').map(({ turn }) => turn));
  const again = requests().slice(asked).map(turnOf);
  assert.deepEqual(
    again.filter((turn) => answered.has(turn)),
    [],
    'a recorded answer was asked for again',
  );
  const finished = before.filter(({ kind }) => kind === 'result').map(({ callId }) => callId);
  const results = journalOf(bundle).filter(({ kind, callId }) => kind === 'result' && finished.includes(callId));
  assert.equal(results.length, finished.length, 'a finished call was repeated');
  await after.checkRecord(row.id);
  return 'resumed';
}

function wholeLines(bundle: string): Document[] {
  const text = fs.readFileSync(path.join(bundle, 'journal.jsonl'), 'utf8');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Killed while closing: nothing is left to do, and the record is whole. */
async function wasDone(after: InProcess, id: RunId): Promise<string> {
  await assert.rejects(after.resume(id), /nothing left to continue/);
  await after.checkRecord(id);
  return 'was done';
}

/** Killed before the run was recorded: nothing happened, and the same command works. */
async function startsAgain(one: Installation, expected: object): Promise<string> {
  const before = workspaceOf(one);
  const { signal } = await dying(one, 0, 'before');
  assert.equal(signal, null);
  assert.deepEqual(before, { 'a.md': 'the old text\n' });
  assert.deepEqual(workspaceOf(one), expected);
  return 'started again';
}

test('a run that is killed at any write ends, resumed, as if nothing had happened', async () => {
  await using server = await startOpenAiServer({ respond });
  using prepared = await prepare(server);
  const { files, writes } = await uninterrupted(prepared);
  // Records of one turn share writes: a torn one leaves some of them whole and one in half.
  assert.ok(writes > 20, `only ${writes} writes were seen`);
  const points = Array.from({ length: writes }, (_, index) => index + 1).flatMap((at) => [
    { at, how: 'before' as const },
    { at, how: 'torn' as const },
  ]);
  const problems: string[] = [];
  const endings = new Map<string, number>();

  const work = async (): Promise<void> => {
    for (let point = points.shift(); point !== undefined; point = points.shift()) {
      const name = `${point.how} ${point.at}`;
      await killAndResume({ prepared, server, files }, point).then(
        (ending) => endings.set(ending, (endings.get(ending) ?? 0) + 1),
        (error: Error) => problems.push(`${name}: ${error.message}`),
      );
    }
  };
  await Promise.all([work(), work(), work()]);

  assert.deepEqual(problems, []);
  assert.ok((endings.get('resumed') ?? 0) > writes / 2, JSON.stringify([...endings]));
});
