import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import type { RunItem } from '../contracts/run.ts';
import { homeAt } from '../state/home.ts';
import { startRun } from './start-run.ts';
import type { WorkerContext } from './worker-context.ts';

const passed = new Error('the model was taken');

/** Starts a run of an agent with a model of its own, with models of which only one has a price, up to where it has its model. */
async function start(t: TestContext, asked: Pick<RunItem, 'door' | 'model'>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-start-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const home = homeAt(path.join(root, '.clawhold'));
  const tenant = parseTenantId('default');
  const agent = parseAgentId('main');
  fs.mkdirSync(home.agentDir(tenant, agent), { recursive: true });
  fs.writeFileSync(path.join(home.agentDir(tenant, agent), 'agent.yaml'), 'version: 1\nmodel: dear/own\n');
  const ctx = {
    home,
    emit: () => {},
    redactor: { text: (text: string) => text },
    openModel: async (model: string) => ({ facts: { model, hasPrice: model === 'cheap/known' } }),
    runs: {
      ofSession: () => {
        throw passed;
      },
    },
    policyFiles: async () => {
      throw passed;
    },
  } as unknown as WorkerContext;
  const item: RunItem = {
    kind: 'agent',
    runId: newRunId(1),
    sessionId: newSessionId(1),
    tenant,
    agent,
    principal: { kind: 'service', id: 'tok' },
    input: 'x',
    ...asked,
  };
  await startRun(ctx, item, AbortSignal.timeout(10_000));
}

test('a model without a price is the choice of the agent’s file or of a person here, not of a request', async (t) => {
  await assert.rejects(start(t, { door: 'http', model: 'dear/unknown' }), { code: 'worker.unpriced-model', remedy: 'fix-request' });

  await assert.rejects(start(t, { door: 'http', model: 'cheap/known' }), passed);
  await assert.rejects(start(t, { door: 'http', model: 'dear/own' }), passed);
  await assert.rejects(start(t, { door: 'http' }), passed);
  await assert.rejects(start(t, { door: 'cli', model: 'dear/unknown' }), passed);
});
