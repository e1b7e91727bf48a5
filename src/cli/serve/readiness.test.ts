import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../contracts/clock.ts';
import { openLedger } from '../../governance/ledger.ts';
import { openDatabase } from '../../state/database.ts';
import { createHome } from '../../state/home.ts';
import { openQueue } from '../../state/open-queue.ts';
import { checkReadiness } from './readiness.ts';

test('a server is not ready once its queue, its database, its scheduler or its executors are stopped, and says which', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'readiness-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const home = createHome(root);
  const database = openDatabase(home.databaseFile);
  const queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: systemClock });
  const tenant = 'default' as never;
  await using ledger = await openLedger({ dir: home.ledgerDir(tenant), keyFile: path.join(root, 'key'), clock: systemClock });
  const installation = { database, home, ledgerOf: async () => ledger } as never;
  const state = { silentMs: 0, isReady: true };
  const failing = async (): Promise<readonly string[]> => {
    const checks = await checkReadiness(
      { installation, queue },
      { executors: () => ({ name: 'executors', isReady: state.isReady }), scheduler: { silentMs: () => state.silentMs } },
    );
    return checks.filter(({ isReady }) => !isReady).map(({ name }) => name);
  };

  const all = await failing();
  state.silentMs = 61_000;
  const silent = await failing();
  state.isReady = false;
  const without = await failing();
  await queue[Symbol.asyncDispose]();
  const stopped = await failing();
  database[Symbol.dispose]();
  const closed = await failing();

  assert.deepEqual([all, silent, without], [[], ['scheduler'], ['executors', 'scheduler']]);
  assert.deepEqual(stopped, ['queue', 'executors', 'scheduler']);
  assert.deepEqual(closed, ['database', 'queue', 'executors', 'scheduler']);
});
