import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { LeaseLostError } from '../contracts/lease-lost-error.ts';
import { taskIdOf } from '../contracts/task.ts';
import { openDatabase, type Database } from '../state/database.ts';
import { createHome } from '../state/home.ts';
import { acceptedRow, openRuns, type RunRow } from '../state/runs.ts';
import { takeRun, type RunHold } from './hold-run.ts';
import type { RunLease, WorkerContext } from './worker-context.ts';

const item = {
  runId: newRunId(1),
  sessionId: newSessionId(1),
  tenant: parseTenantId('default'),
  agent: parseAgentId('scout'),
  door: 'http',
  input: 'hello',
} as const;

/** One of two executors on the same files. `fence` is the delivery of the task that it works on. */
function executorOn(database: Database, dir: string, fence: number) {
  const runs = openRuns(database);
  const lease: RunLease = { task: taskIdOf(item.runId), fence, signal: new AbortController().signal, check: () => undefined };
  const ledger = async () => ({ claimId: `claim-${fence}` });
  const ctx = { home: createHome(path.join(dir, 'home')), runs, ledger, lease } as unknown as WorkerContext;
  return { runs, take: async (row: RunRow): Promise<RunHold> => await takeRun(ctx, row) };
}

test('who was replaced is told at once before it acts, and with the next turn before it writes a line', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'hold-'));
  using one = openDatabase(path.join(dir, 'db'));
  using two = openDatabase(path.join(dir, 'db'));
  const [paused, next] = [executorOn(one, dir, 1), executorOn(two, dir, 2)];
  paused.runs.accept(acceptedRow(item, 1));
  const hold = await paused.take(paused.runs.get(item.runId)!);
  hold.guard();
  hold.check();

  // In the turn in which it looked: as if it had stood still right after.
  next.runs.takeOver(item.runId, next.runs.get(item.runId)!, { owner: 'claim-2', fence: 2 });

  assert.throws(() => hold.check(), LeaseLostError);
  await nextTurn();
  await nextTurn();
  assert.throws(() => hold.guard(), LeaseLostError);
  await assert.rejects(hold.settle({ state: 'done' }), LeaseLostError);
  assert.deepEqual([next.runs.get(item.runId)?.state, next.runs.get(item.runId)?.owner], ['running', 'claim-2']);
});
