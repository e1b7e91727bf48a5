import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import type { RunState } from '../contracts/run.ts';
import { countRuns } from './count-runs.ts';
import { openDatabase } from './database.ts';
import { openRuns } from './runs.ts';

test('runs are counted by tenant: begun since a time, and under way or waiting since whenever', () => {
  using database = openDatabase(path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'count-')), 'state.db'));
  const runs = openRuns(database);
  const put = (tenant: string, state: RunState, ms: number): void =>
    runs.insert({
      id: newRunId(ms),
      session: newSessionId(ms),
      tenant: parseTenantId(tenant),
      agent: parseAgentId('main'),
      state,
      door: 'cli',
      model: 'm',
      inputPreview: '',
      reason: '',
      createdMs: ms,
      turns: 0,
      toolCalls: 0,
      inputTokens: 0,
      outputTokens: 0,
    });
  put('acme', 'done', 1000);
  put('acme', 'waiting', 1000);
  put('acme', 'running', 5000);
  put('acme', 'failed', 6000);
  put('globex', 'done', 5000);

  assert.deepEqual(
    countRuns(database, 5000).map((row) => ({ ...row })),
    [
      { tenant: 'acme', started: 2, failed: 1, running: 1, waiting: 1 },
      { tenant: 'globex', started: 1, failed: 0, running: 0, waiting: 0 },
    ],
  );
});
