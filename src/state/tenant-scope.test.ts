import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Approval } from '../contracts/approval.ts';
import { newApprovalId, newRunId, newSessionId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { sha256 } from '../contracts/json.ts';
import { openApprovals } from './approvals.ts';
import { openDatabase } from './database.ts';
import { openSessions } from './sessions.ts';

const acme = parseTenantId('acme');
const beta = parseTenantId('beta');
const agent = parseAgentId('main');

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'scope-')), 'db');
}

test('opened for a tenant, a session of another is as unknown as one that never was', () => {
  using database = openDatabase(scratch());
  const row = { id: newSessionId(1), tenant: acme, agent, createdMs: 1 };
  openSessions(database, acme).create(row);
  const theirs = openSessions(database, beta);

  assert.equal(theirs.get(row.id), undefined);
  assert.equal(theirs.setLastRun(row.id, newRunId(1)), false);
  assert.deepEqual([theirs.list({ tenant: acme }), theirs.list({ tenant: beta })], [[], []]);
  assert.equal(theirs.latest(acme, agent), undefined);
  assert.throws(() => theirs.create(row), /written as one of beta/);
  assert.deepEqual(openSessions(database, acme).get(row.id), row);
});

test('opened for a tenant, a question of another is as unknown as one that never was, and cannot be answered', () => {
  using database = openDatabase(scratch());
  const rule = { layer: 'tenant', id: 'ask', file: 'policy.yaml', line: 3 } as const;
  const question: Approval = {
    id: newApprovalId(1),
    tenant: acme,
    agent,
    run: newRunId(1),
    callId: '1.1',
    request: {
      tenant: acme,
      agent,
      principal: { kind: 'user', id: 'me' },
      tool: 'fs.write',
      effects: ['mutating'],
      args: {},
      resources: [],
      labels: [],
      run: { hasPrivate: false, hasUntrusted: false },
      nowMs: 1,
    },
    requestHash: sha256('request'),
    decision: { verdict: 'ask', rule, reason: '', remedy: '', layers: [], policyHash: sha256('policy') },
    createdMs: 1,
    expiresMs: 1000,
    state: 'open',
  };
  openApprovals(database, acme).insert(question);
  const theirs = openApprovals(database, beta);

  assert.equal(theirs.get(question.id, 2), undefined);
  assert.deepEqual([theirs.list({}, 2), theirs.list({ tenant: acme }, 2), theirs.list({ run: question.run }, 2)], [[], [], []]);
  assert.deepEqual(theirs.answer(question.id, { state: 'approved', by: 'intruder', nowMs: 2 }), { outcome: 'unknown' });
  assert.throws(() => theirs.insert(question), /written as one of beta/);
  assert.equal(openApprovals(database, acme).get(question.id, 2)?.state, 'open');
});
