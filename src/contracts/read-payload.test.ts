import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newApprovalId, newRunId, newSessionId, parseAgentId, parseTenantId } from './ids.ts';
import { sha256 } from './json.ts';
import { readPayload } from './read-payload.ts';
import { taskIdOf, type TaskMessage } from './task.ts';

const run = newRunId(1);
const principal = { kind: 'service', id: 'tok' } as const;
const item = {
  kind: 'agent',
  runId: run,
  sessionId: newSessionId(1),
  tenant: parseTenantId('acme'),
  agent: parseAgentId('main'),
  door: 'http',
  principal,
  input: 'hello',
  limits: { turns: 3 },
} as const;
const start = { kind: 'start', item, request: sha256('a'), policy: sha256('b') } as const;
const resume = { kind: 'resume', run, tenant: 'acme', approval: newApprovalId(1), principal } as const;

function message(payload: TaskMessage['payload']): TaskMessage {
  return { tenant_id: 'acme', swarm_id: run, agent_type: 'agent', shard_id: 0, task_id: taskIdOf(run), payload, idempotency_key: run };
}

test('a payload comes out of a message as it went in', () => {
  assert.deepEqual(readPayload(message(start)), start);
  assert.deepEqual(readPayload(message(resume)), resume);
});

test('a payload of another tenant, with a path for an id, or of no known kind is refused', () => {
  const bad: readonly TaskMessage['payload'][] = [
    { ...start, item: { ...item, tenant: 'other' } },
    { ...start, item: { ...item, runId: 'run_../../../etc/passwd' } },
    { ...start, item: { ...item, agent: '../main' } },
    { ...start, item: { ...item, limits: { turns: -1 } } },
    { ...start, kind: 'shell' },
    { ...resume, tenant: 'other' },
    null,
    [],
  ];

  for (const payload of bad) assert.throws(() => readPayload(message(payload)), { code: 'contracts.bad-payload' }, JSON.stringify(payload));
});
