import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newApprovalId, newRunId, newSessionId } from '../contracts/ids.ts';
import { readPayload } from '../contracts/read-payload.ts';
import { acceptedRow } from '../state/runs.ts';
import { admitResume } from './admit-resume.ts';
import { acme, beta, main, newWorld, noon, principal, type World } from './fixtures/admit-world.ts';

test('an answer puts its run back on the queue once, and another tenant cannot', async () => {
  await using world = await newWorld({ quotas: { concurrentRuns: 0 } });
  const row = await rowOfNewRun(world);
  const approval = newApprovalId(noon);
  const approver = principal(acme, ['approver']);

  const first = await admitResume(world.ctx, approver, { run: row.id, approval });
  const second = await admitResume(world.ctx, approver, { run: row.id, approval });
  const theirs = await admitResume(world.ctx, principal(beta, ['admin']), { run: row.id, approval });
  const byHand = await admitResume(world.ctx, approver, { run: row.id });
  const unknown = await admitResume(world.ctx, principal(acme, ['admin']), { run: newRunId(noon) });

  assert.deepEqual(
    [first, second],
    [
      { outcome: 'admitted', run: row.id, session: row.session, isNew: true },
      { outcome: 'admitted', run: row.id, session: row.session, isNew: false },
    ],
  );
  assert.deepEqual(
    [theirs, byHand, unknown].map((one) => one.outcome === 'refused' && one.code),
    ['control.unknown-run', 'control.role-not-allowed', 'control.unknown-run'],
  );
  const [lease] = await world.queue.lease({ worker: 'w', leaseMs: 1000, max: 5 });
  assert.deepEqual(readPayload(lease!.message), {
    kind: 'resume',
    run: row.id,
    tenant: acme,
    approval,
    principal: { kind: 'service', id: 'tok_1' },
  });
});

test('a human who wants a run to go on puts it back once for each of its ends', async () => {
  await using world = await newWorld({});
  const { id } = await rowOfNewRun(world);
  const operator = principal(acme, ['operator']);
  const resume = async (): Promise<unknown> => {
    const admission = await admitResume(world.ctx, operator, { run: id });
    return admission.outcome === 'admitted' ? admission.isNew : admission.code;
  };
  const endAs = (endedMs: number): void => void world.runs.update(id, { state: 'failed', endedMs });

  endAs(noon + 1);
  const first = [await resume(), await resume()];
  endAs(noon + 2);
  const second = [await resume(), await resume()];
  world.runs.update(id, { state: 'done' });

  assert.deepEqual([...first, ...second, await resume()], [true, false, true, false, 'control.not-resumable']);
});

async function rowOfNewRun(world: World) {
  const item = { runId: newRunId(noon), sessionId: newSessionId(noon), tenant: acme, agent: main, door: 'http', input: '' } as const;
  const row = { ...acceptedRow(item, noon), state: 'waiting' } as const;
  world.runs.insert(row);
  return row;
}
