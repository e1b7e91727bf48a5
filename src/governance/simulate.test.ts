import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { PolicyRequest } from '../contracts/policy.ts';
import { decide } from './decide.ts';
import { explainDecision, renderExplanation } from './explain.ts';
import { mayReach } from './may-reach.ts';
import { compilePolicy, type PolicySnapshot } from './policy-snapshot.ts';
import { requestHash } from './request.ts';
import { simulatePolicy } from './simulate.ts';
import { strictestDecision } from './strictest.ts';

function policy(platform: string, grants = '{ fs.read: {}, fs.write: {} }'): PolicySnapshot {
  return compilePolicy([
    { layer: 'platform', file: 'policies/platform.yaml', text: `version: 1\nrules:\n${platform}` },
    { layer: 'agent', file: 'agents/scribe/agent.yaml', text: `version: 1\ngrants: ${grants}\n` },
  ]);
}
const open = policy('  - { id: all, allow: "*" }\n');
const tightened = policy('  - { id: all, allow: "*" }\n  - { id: no-docs, deny: fs.write, paths: ["docs/**"] }\n');

function write(path: string): PolicyRequest {
  return {
    tenant: 'default' as TenantId,
    agent: 'scribe' as AgentId,
    principal: { kind: 'user', id: 'local' },
    tool: 'fs.write',
    effects: ['mutating'],
    args: { path, content: 'x' },
    resources: [{ kind: 'file', argument: 'path', root: 'workspace', path, access: 'write' }],
    labels: [],
    run: { hasPrivate: false, hasUntrusted: false },
    nowMs: 1,
  };
}

test('a tightened policy shows exactly the calls that it would have blocked', async () => {
  async function* recorded() {
    for (const [index, path] of ['docs/a.md', 'src/a.ts', 'docs/b.md'].entries()) {
      yield { run: 'run_1', callId: `1.${index}`, request: write(path), decision: decide(write(path), open) };
    }
  }

  const { calls, changed } = await simulatePolicy(recorded(), tightened);

  assert.equal(calls, 3);
  assert.deepEqual(
    changed.map(({ callId, before, after, proposed }) => [callId, before, after, proposed.rule.id]),
    [
      ['1.0', 'allow', 'deny', 'no-docs'],
      ['1.2', 'allow', 'deny', 'no-docs'],
    ],
  );
  assert.equal((await simulatePolicy(recorded(), open)).changed.length, 0);
});

test('of the pinned and the current policy the stricter decides, in either order', () => {
  const allowed = decide(write('docs/a.md'), open);
  const denied = decide(write('docs/a.md'), tightened);

  assert.equal(strictestDecision([allowed, denied]).verdict, 'deny');
  assert.equal(strictestDecision([denied, allowed]).verdict, 'deny');
  assert.equal(strictestDecision([allowed, decide(write('x'), open)]).policyHash, open.hash);
});

test('the hash an approval is bound to changes with every field but the clock', () => {
  const request = write('docs/a.md');
  const changes: Partial<PolicyRequest>[] = [
    { tool: 'fs.edit' },
    { agent: 'other' as AgentId },
    { tenant: 'other' as TenantId },
    { principal: { kind: 'user', id: 'else' } },
    { effects: ['outside'] },
    { args: { path: 'docs/a.md', content: 'x ' } },
    { resources: [] },
    { labels: [{ argument: 'path', role: 'destination', label: { trust: 'trusted', source: 'user' } }] },
    { run: { hasPrivate: true, hasUntrusted: false } },
  ];

  assert.equal(requestHash({ ...request, nowMs: 99 }), requestHash(request));
  for (const change of changes) assert.notEqual(requestHash({ ...request, ...change }), requestHash(request), JSON.stringify(change));
});

test('an explanation names the rule with file and line, every layer, and what would allow the call', () => {
  const request = write('docs/a.md');

  const text = renderExplanation(explainDecision(request, decide(request, tightened)));

  assert.match(text, /^deny: fs\.write/);
  assert.match(text, /policies\/platform\.yaml:4 \(no-docs\)/);
  assert.match(text, /platform {2}deny[\s\S]*tenant {4}allow[\s\S]*agent {5}allow/);
  assert.match(text, /Only someone who may edit policies\/platform\.yaml can allow it/);
});

test('an explanation shows hostile text and warns of look-alikes', () => {
  const request = { ...write('a.md'), args: { path: 'a.md', to: 'p\u0430ypal.com', content: 'gpj.\u202eexe\u001b[2J' } };

  const explanation = explainDecision(request, decide(request, open));

  assert.match(explanation.call, /⟨U\+202E⟩/);
  assert.match(explanation.warnings.join(), /mixes Latin and Cyrillic/);
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(renderExplanation(explanation), /[\u202e\u001b]/);
});

test('a folder that may be listed does not show the protected file in it', () => {
  const request: PolicyRequest = {
    ...write('.'),
    tool: 'fs.read',
    effects: ['read'],
    resources: [{ kind: 'file', argument: 'path', root: 'workspace', path: '.', access: 'read' }],
  };
  const snapshot = policy('  - { id: all, allow: "*" }\n  - { id: secrets, deny: "*", paths: ["**/.env"] }\n');

  assert.equal(mayReach(request, snapshot, { root: 'workspace', path: 'app/.ENV' }), false);
  assert.equal(mayReach(request, snapshot, { root: 'workspace', path: 'app/main.ts' }), true);
  assert.equal(mayReach(request, snapshot, { root: 'workspace', path: '.git/config' }), false);
});
