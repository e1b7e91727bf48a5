import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Approval } from '../contracts/approval.ts';
import { newApprovalId, newRunId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { sha256 } from '../contracts/json.ts';
import { openApprovals } from './approvals.ts';
import { openDatabase, type Database } from './database.ts';

const tenant = parseTenantId('default');
const agent = parseAgentId('scribe');

function approval(createdMs: number, change: Partial<Approval> = {}): Approval {
  const rule = { layer: 'tenant', id: 'ask-writes', file: 'policy.yaml', line: 3 } as const;
  return {
    id: newApprovalId(createdMs),
    tenant,
    agent,
    run: newRunId(createdMs),
    callId: 'c1',
    request: {
      tenant,
      agent,
      principal: { kind: 'user', id: 'me' },
      tool: 'fs.write',
      effects: ['mutating'],
      args: { path: 'ü.md', nested: [1, null] },
      resources: [],
      labels: [],
      run: { hasPrivate: false, hasUntrusted: true },
      nowMs: createdMs,
    },
    requestHash: sha256('request'),
    decision: { verdict: 'ask', rule, reason: 'r', remedy: 'm', layers: [], policyHash: sha256('policy') },
    createdMs,
    expiresMs: createdMs + 1000,
    state: 'open',
    ...change,
  };
}

function openScratch(): Database & { readonly again: () => Database } {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'approvals-')), 'db');
  return Object.assign(openDatabase(file), { again: () => openDatabase(file) });
}

test('an approval comes back as it was', () => {
  using database = openScratch();
  const approvals = openApprovals(database);
  const bare = approval(1);
  const full = approval(2, { targetHash: sha256('target'), preview: '-a\n+b' });
  approvals.insert(bare);
  approvals.insert(full);

  assert.deepEqual(approvals.get(bare.id, 5), bare);
  assert.deepEqual(approvals.get(full.id, 5), full);
  assert.equal(approvals.get(newApprovalId(3), 5), undefined);
});

test('of two answers the first counts, also when they come from two processes', () => {
  using database = openScratch();
  using other = database.again();
  const asked = approval(1);
  openApprovals(database).insert(asked);

  const first = openApprovals(other).answer(asked.id, { state: 'denied', by: 'ann', nowMs: 7 });
  const second = openApprovals(database).answer(asked.id, { state: 'approved', by: 'bob', nowMs: 8 });

  assert.equal(first.outcome, 'answered');
  assert.equal(second.outcome, 'not-open');
  assert.deepEqual(openApprovals(database).get(asked.id, 9), { ...asked, state: 'denied', answeredBy: 'ann', answeredMs: 7 });
  assert.equal(openApprovals(database).answer(newApprovalId(9), { state: 'approved', by: 'x', nowMs: 9 }).outcome, 'unknown');
});

test('from its expiry on an approval reads as expired and cannot be answered', () => {
  using database = openScratch();
  const approvals = openApprovals(database);
  const asked = approval(1);
  approvals.insert(asked);

  assert.equal(approvals.get(asked.id, asked.expiresMs - 1)?.state, 'open');
  assert.equal(approvals.get(asked.id, asked.expiresMs)?.state, 'expired');
  const late = approvals.answer(asked.id, { state: 'approved', by: 'ann', nowMs: asked.expiresMs });

  assert.equal(late.outcome, 'not-open');
  assert.equal(late.outcome === 'not-open' && late.approval.state, 'expired');
  assert.equal(approvals.get(asked.id, asked.expiresMs - 1)?.state, 'open');
});

test('lists are oldest first and filtered, and open ones leave out what has expired', () => {
  using database = openScratch();
  const approvals = openApprovals(database);
  const made = [
    approval(1),
    approval(2, { agent: parseAgentId('scout') }),
    approval(5000),
    approval(5001, { tenant: parseTenantId('other') }),
  ];
  for (const each of made) approvals.insert(each);
  approvals.answer(made[2]!.id, { state: 'approved', by: 'ann', nowMs: 5001 });

  const ids = (filter: Parameters<typeof approvals.list>[0], nowMs: number): string[] => approvals.list(filter, nowMs).map(({ id }) => id);

  assert.deepEqual(
    ids({}, 5002),
    made.map(({ id }) => id),
  );
  assert.deepEqual(ids({ state: 'open' }, 5002), [made[3]!.id]);
  assert.deepEqual(ids({ state: 'open', tenant }, 500), [made[0]!.id, made[1]!.id]);
  assert.deepEqual(ids({ agent: parseAgentId('scout') }, 5002), [made[1]!.id]);
  assert.deepEqual(ids({ run: made[2]!.run, state: 'all' }, 5002), [made[2]!.id]);
});
