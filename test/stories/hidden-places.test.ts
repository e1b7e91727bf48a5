import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixRequestError, RetryableError } from '../../src/contracts/errors.ts';
import { silentLog, type Log } from '../../src/contracts/log.ts';
import { ModelError } from '../../src/contracts/model-error.ts';
import type { RunId } from '../../src/contracts/ids.ts';
import type { WorkerContext } from '../../src/worker/worker-context.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation } from './installation.ts';
import { queueWorld, type QueueWorld } from './queue-world.ts';
import { serveHome, tokenOf } from './served.ts';

const systemError = (code: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code}: not possible, open '/srv/vault/home/tenants/acme/secrets/KEY'`), { code });

/** What a model client, the broker behind it, a policy and a tool may throw, in words that say where things lie. */
const failures: readonly Error[] = [
  new ModelError('models.no-key', "The key file /srv/vault/key cannot be read: EACCES: permission denied, open '/srv/vault/key'.", {
    errorClass: 'non_transient',
  }),
  new FixRequestError('broker.bad-secret-meta', '/srv/vault/secrets/KEY.json does not say where the secret may go.'),
  new RetryableError('broker.unreachable', 'The way out at unix:///srv/vault/egress.sock is closed.', { cause: systemError('ENOSPC') }),
  new FixRequestError('governance.bad-policy', '/srv/vault/policies/platform.yaml:3: rules is wrong.'),
];

interface Heard {
  readonly log: Log;
  readonly lines: string[];
}

function heard(): Heard {
  const lines: string[] = [];
  const note = (message: string, fields?: object): void => void lines.push(JSON.stringify({ message, ...fields }));
  const log: Log = { ...silentLog, warn: note, error: note, with: () => log };
  return { log, lines };
}

/** Runs whose second model call fails, each of another of these. */
async function failedRuns(world: QueueWorld, { log }: Heard): Promise<readonly RunId[]> {
  const runs = await world.put(failures.map((_, index) => `${index}`));
  const openModel: WorkerContext['openModel'] = async (ref) => {
    const model = await world.worker.openModel(ref);
    return {
      ...model,
      call: async (request, options) => {
        if (request.messages.length === 1) return await model.call(request, options);
        const [said] = request.messages;
        throw failures[Number(said?.role === 'user' ? said.text : 0)] ?? new Error('no such failure');
      },
    };
  };
  world.executor({ workerOf: async () => ({ ...world.worker, openModel }), log });
  await world.settled(runs.length);
  return runs;
}

test('no failure of a run tells a tenant a place of this machine: not its row, events or files', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ toolCalls: [{ name: 'fs.list', args: { path: '.' } }] }) });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: 'workspace: workspace\ngrants: { fs.list: {} }\n' });
  const operator = heard();
  let runs: readonly RunId[];
  {
    await using world = await queueWorld(one);
    runs = await failedRuns(world, operator);
  }
  const token = await tokenOf(one, 'viewer');
  await using served = await serveHome(one);

  for (const [index, run] of runs.entries()) {
    const told = await Promise.all(
      ['', '/events', '/artifacts', '/artifacts/journal.jsonl'].map(async (part) => {
        const answer = await fetch(`${served.url}/api/v1/runs/${run}${part}`, { headers: { authorization: `Bearer ${token}` } });
        return { status: answer.status, text: await answer.text() };
      }),
    );
    const shown = JSON.parse(told[0]?.text ?? '').run;

    assert.deepEqual(
      told.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.equal(shown.state, 'failed');
    assert.ok(told[3]?.text.includes('"kind":"end"'));
    assert.match(shown.reason, /^A (file or folder|configuration or a policy) /, String(failures[index]));
    assert.doesNotMatch(JSON.stringify(told), /srv|vault|EACCES|ENOSPC/);
    assert.ok(
      operator.lines.some((line) => line.includes(run) && line.includes('/srv/vault')),
      `the log lacks ${String(failures[index])}`,
    );
  }
});

test('sabotage: a failure that names no place is told in its own words, so the test above would see them', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  const call = async (): Promise<never> => await Promise.reject(new RetryableError('models.down', 'The key srv vault is away.'));
  const openModel: WorkerContext['openModel'] = async (ref) => ({ ...(await world.worker.openModel(ref)), call });
  const [run] = await world.put(['hello']);

  world.executor({ workerOf: async () => ({ ...world.worker, openModel }) });
  await world.settled(1);

  assert.equal(world.worker.runs.get(run!)?.reason, 'The key srv vault is away.');
});
