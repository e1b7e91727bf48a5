import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newApprovalId, newRunId, newSessionId, parseAgentId, parseTenantId } from './ids.ts';
import { taskIdOf, type TaskMessage } from './task.ts';
import { parseWorkItem } from './work-item.ts';

const run = newRunId(1);
const item = {
  kind: 'agent',
  runId: run,
  sessionId: newSessionId(1),
  tenant: parseTenantId('acme'),
  agent: parseAgentId('main'),
  door: 'http',
  principal: { kind: 'service', id: 'tok' },
  input: 'hello',
  limits: { turns: 3 },
} as const;

function message(payload: TaskMessage['payload']): TaskMessage {
  return { tenant_id: 'acme', swarm_id: run, agent_type: 'agent', shard_id: 0, task_id: taskIdOf(run), payload, idempotency_key: run };
}

test('an item comes out of a message as it went in, without what this version does not know', () => {
  const resume = { kind: 'resume', runId: run, tenant: 'acme', approval: newApprovalId(1) } as const;

  assert.deepEqual(parseWorkItem(message({ ...item, later: true })), item);
  assert.deepEqual(parseWorkItem(message(resume)), resume);
});

test('a payload of another tenant, with a path for an id, or of no known kind is refused', () => {
  const bad: readonly TaskMessage['payload'][] = [
    { ...item, tenant: 'other' },
    { ...item, runId: 'run_../../../etc/passwd' },
    { ...item, agent: '../main' },
    { ...item, sessionId: 'ses_x' },
    { ...item, kind: 'shell' },
    { ...item, limits: { turns: -1 } },
    { kind: 'resume', runId: run, tenant: 'other' },
    null,
    [],
  ];

  for (const payload of bad) assert.throws(() => parseWorkItem(message(payload)), { name: 'FixRequestError' }, JSON.stringify(payload));
});
