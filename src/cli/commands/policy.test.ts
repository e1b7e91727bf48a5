import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAgentId, parseTenantId, type AgentId } from '../../contracts/ids.ts';
import type { PolicySource } from '../../contracts/policy.ts';
import type { ToolDeclaration } from '../../contracts/tool.ts';
import { decide } from '../../governance/decide.ts';
import { policyRequest } from '../../governance/request.ts';
import { readResources } from '../../governance/resources.ts';
import { checkPolicy, renderCheck } from './policy-check.ts';
import { currentPolicy, type PolicyContext } from './policy-context.ts';
import { explainCall, explainRecorded } from './policy-explain.ts';
import { renderPolicy, showPolicy } from './policy-show.ts';
import { renderSimulation, simulateProposal } from './policy-simulate.ts';

const fsWrite: ToolDeclaration = {
  name: 'fs.write',
  summary: 'Writes a file.',
  parameters: {},
  effects: ['mutating'],
  args: { path: { role: 'destination', kind: 'path', access: 'write' }, content: { role: 'content' } },
  structured: [],
  recovery: 'compare-target',
};
const scribe = parseAgentId('scribe');
const platformFile =
  'version: 1\nrules:\n  - { id: files, allow: "fs.*" }\n  - { id: frozen, deny: fs.write, paths: ["releases/**"], why: Releases stay. }\n';

function installation(grants: string, platform = platformFile): PolicyContext {
  const agentFile = async (agent: AgentId): Promise<PolicySource> => ({
    layer: 'agent',
    file: `agents/${agent}/agent.yaml`,
    text: `version: 1\ngrants:\n  ${grants}\n`,
  });
  const context: PolicyContext = {
    tenant: parseTenantId('default'),
    principal: { kind: 'user', id: 'local' },
    tools: [fsWrite],
    now: () => 0,
    policyFiles: async () => [{ layer: 'platform', file: 'policies/platform.yaml', text: platform }],
    agentIds: async () => [scribe],
    agentFile,
    resourcesOf: async () => (tool, args) => readResources(tool, args, []),
    sandboxOf: async () => undefined,
    recorded: async function* () {
      const policy = await currentPolicy(context, scribe);
      for (const [index, path] of ['docs/a.md', 'releases/1.md', 'src/a.ts'].entries()) {
        const args = { path, content: 'x' };
        const { tenant, principal } = context;
        const request = policyRequest({
          tenant,
          agent: scribe,
          principal,
          tool: fsWrite,
          args,
          resources: readResources(fsWrite, args, []),
          nowMs: 0,
        });
        yield { run: 'run_1', callId: `1.${index + 1}`, request, decision: decide(request, policy) };
      }
    },
  };
  return context;
}

test('show prints each layer with its rules, bounds and lines, and that the rest is denied', async () => {
  const text = renderPolicy(await showPolicy(installation('fs.write: { paths: ["docs/**"] }'), scribe));

  assert.match(text, /deny {2}fs\.write {2}\(frozen, line 4\) {2}Releases stay\.\n {10}paths: releases\/\*\*/);
  assert.match(text, /agent {2}agents\/scribe\/agent\.yaml\n {2}allow fs\.write {2}\(grants\.fs\.write, line 3\)/);
  assert.match(text, /deny {2}everything else/);
});

test('explain decides a call that was not made as the runtime would', async () => {
  const context = installation('fs.write: { paths: ["docs/**"] }');

  assert.equal((await explainCall(context, { agent: scribe, tool: 'fs.write', args: { path: 'docs/a.md' } })).verdict, 'allow');
  const denied = await explainCall(context, { agent: scribe, tool: 'fs.write', args: { path: 'releases/1.md' } });
  assert.equal(denied.rule, 'policies/platform.yaml:4 (frozen)');
  assert.match((await explainCall(context, { agent: scribe, tool: 'rm', args: {} })).reason, /no tool named "rm"/);
});

test('explain of a run names the recorded call, or the first that was not allowed', async () => {
  const context = installation('fs.write: {}');

  assert.match((await explainRecorded(context, 'run_1', '1.1')).call, /docs\/a\.md/);
  assert.match((await explainRecorded(context, 'run_1', undefined)).call, /releases\/1\.md/);
  await assert.rejects(explainRecorded(context, 'run_1', '9.9'), /its calls are 1\.1, 1\.2, 1\.3/);
});

test('check passes a good policy, and warns of a grant that a higher layer never allows', async () => {
  const good = await checkPolicy(installation('fs.write: {}'));
  assert.deepEqual([good.isGood, good.warnings], [true, []]);

  const dead = await checkPolicy(installation('fs.write: {}', 'version: 1\nrules: [{ id: none, deny: "*" }]\n'));
  assert.match(dead.warnings.join(), /agent\.yaml:3: grants\.fs\.write gives fs\.write, but policies\/platform\.yaml never allows it/);
});

test('check lists an example that fails with its file and line', async () => {
  const result = await checkPolicy(installation('fs.write: { paths: ["docs/**"], examples: { match: [{ path: src/a.ts }] } }'));

  assert.equal(result.isGood, false);
  assert.match(renderCheck(result), /agents\/scribe\/agent\.yaml:3: the example fs\.write/);
});

test('simulate lists exactly the calls that a tightened file would block', async () => {
  const tightened: PolicySource = {
    layer: 'tenant',
    file: 'proposed.yaml',
    text: 'version: 1\nrules:\n  - { id: docs-only, allow: fs.write, paths: ["docs/**"] }\n',
  };

  const simulation = await simulateProposal(installation('fs.write: {}'), tightened, {});

  assert.deepEqual(
    simulation.changed.map(({ callId, before, after }) => [callId, before, after]),
    [['1.3', 'allow', 'deny']],
  );
  assert.match(renderSimulation(simulation), /1 of 3 recorded calls would be decided otherwise/);
});
