import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { PolicyRequest, PolicySource, RuleRef } from '../contracts/policy.ts';
import type { ToolDeclaration } from '../contracts/tool.ts';
import { decide } from './decide.ts';
import { newTrust, type Trust } from './labels.ts';
import { compilePolicy, type PolicySnapshot } from './policy-snapshot.ts';
import { policyRequest } from './request.ts';
import { readResources } from './resources.ts';

const fsRead: ToolDeclaration = {
  name: 'fs.read',
  summary: 'Reads a file.',
  parameters: { type: 'object', properties: { path: { type: 'string' } } },
  effects: ['read'],
  args: { path: { role: 'selector', kind: 'path', access: 'read' } },
  structured: [],
  recovery: 'redo',
};
const fsWrite: ToolDeclaration = {
  ...fsRead,
  name: 'fs.write',
  effects: ['mutating'],
  args: { path: { role: 'destination', kind: 'path', access: 'write' }, content: { role: 'content' } },
};
const send: ToolDeclaration = {
  ...fsRead,
  name: 'mail.send',
  effects: ['outside'],
  args: { to: { role: 'destination' }, body: { role: 'content' } },
};
const fetch: ToolDeclaration = {
  ...fsRead,
  name: 'http.fetch',
  effects: ['outside'],
  args: { url: { role: 'destination', kind: 'host' }, method: { role: 'content' } },
};
const tools = [fsRead, fsWrite, send, fetch];

function platform(text: string): PolicySource {
  return { layer: 'platform', file: 'policies/platform.yaml', text: `version: 1\n${text}` };
}
function tenant(text: string): PolicySource {
  return { layer: 'tenant', file: 'tenants/default/policy.yaml', text: `version: 1\n${text}` };
}
function agent(text: string): PolicySource {
  return { layer: 'agent', file: 'agents/scribe/agent.yaml', text: `version: 1\n${text}` };
}
const allowAll = platform('rules: [{ id: all, allow: "*" }]');

function call(tool: ToolDeclaration, args: JsonObject, options: { trust?: Trust } = {}): PolicyRequest {
  return policyRequest({
    tenant: 'default' as TenantId,
    agent: 'scribe' as AgentId,
    principal: { kind: 'user', id: 'local' },
    tool,
    args,
    resources: readResources(tool, args, ['repo']),
    ...(options.trust === undefined ? {} : { trust: options.trust }),
    nowMs: 0,
  });
}

function snapshot(...sources: PolicySource[]): PolicySnapshot {
  return compilePolicy(sources, { tools });
}

test('a new agent without grants may not write, and the remedy is the line that would allow it', () => {
  const decision = decide(call(fsWrite, { path: 'docs/a.md', content: 'x' }), snapshot(agent('')));

  assert.equal(decision.verdict, 'deny');
  assert.deepEqual(decision.rule, { layer: 'agent', id: 'default', file: 'agents/scribe/agent.yaml', line: 1 } satisfies RuleRef);
  assert.match(decision.remedy, /add this line under grants: in agents\/scribe\/agent\.yaml: fs\.write: \{paths: \["docs\/a\.md"\]\}/);
});

test('the line that a remedy suggests allows the call', () => {
  const request = call(fsWrite, { path: 'docs/we*rd, {n}a[m]e.md', content: 'x' });
  const { remedy } = decide(request, snapshot(agent('')));
  const line = /: (fs\.write: .*)$/.exec(remedy)?.[1] ?? '';

  const after = snapshot(agent(`grants:\n  ${line}\n`));

  assert.equal(decide(request, after).verdict, 'allow');
  assert.equal(decide(call(fsWrite, { path: 'docs/other.md', content: 'x' }), after).verdict, 'deny');
});

const layerCases: readonly { name: string; sources: PolicySource[]; verdict: string; rule: string }[] = [
  { name: 'a grant within the platform policy allows', sources: [agent('grants: { fs.write: {} }')], verdict: 'allow', rule: 'core-tools' },
  {
    name: 'an empty rules list denies everything',
    sources: [platform('rules: []'), agent('grants: { fs.write: {} }')],
    verdict: 'deny',
    rule: 'default',
  },
  {
    name: 'a file without rules denies everything',
    sources: [tenant(''), agent('grants: { fs.write: {} }')],
    verdict: 'deny',
    rule: 'default',
  },
  {
    name: 'in a layer deny beats allow, in either order',
    sources: [
      platform('rules: [{ id: no, deny: fs.write, paths: ["docs/**"] }, { id: all, allow: "*" }]'),
      agent('grants: { fs.write: {} }'),
    ],
    verdict: 'deny',
    rule: 'no',
  },
  {
    name: 'a path on the allowlist and on the denylist is denied',
    sources: [
      platform('rules: [{ id: yes, allow: fs.write, paths: ["docs/**"] }, { id: no, deny: "*", paths: ["docs/a.md"] }]'),
      agent('grants: { fs.write: {} }'),
    ],
    verdict: 'deny',
    rule: 'no',
  },
  {
    name: 'in a layer ask beats allow',
    sources: [allowAll, agent('grants: { fs.write: [{}, { ask: true, paths: ["docs/**"] }] }')],
    verdict: 'ask',
    rule: 'grants.fs.write',
  },
  {
    name: 'a tenant cannot allow what the platform denies',
    sources: [platform('rules: [{ id: no, deny: "*" }]'), tenant('rules: [{ id: all, allow: "*" }]'), agent('grants: { fs.write: {} }')],
    verdict: 'deny',
    rule: 'no',
  },
  {
    name: 'a grant cannot allow what the tenant wants asked',
    sources: [allowAll, tenant('rules: [{ id: ask, ask: "fs.*" }]'), agent('grants: { fs.write: {} }')],
    verdict: 'ask',
    rule: 'ask',
  },
  {
    name: 'a rule for other agents does not concern this one',
    sources: [platform('rules: [{ id: all, allow: "*", agents: [other] }]'), agent('grants: { fs.write: {} }')],
    verdict: 'deny',
    rule: 'default',
  },
  {
    name: 'an allow that is limited to reading does not allow a write',
    sources: [platform('rules: [{ id: all, allow: "*", effects: [read] }]'), agent('grants: { fs.write: {} }')],
    verdict: 'deny',
    rule: 'default',
  },
];
for (const { name, sources, verdict, rule } of layerCases) {
  test(name, () => {
    const decision = decide(call(fsWrite, { path: 'docs/a.md', content: 'x' }), snapshot(...sources));

    assert.equal(decision.verdict, verdict);
    assert.equal(decision.rule.id, rule);
  });
}

const wide = [allowAll, agent('grants: { fs.read: {}, fs.write: {}, mail.send: {} }\nmemory: [notes]\nroots: { repo: ../x }')];
const invariantCases: readonly [tool: ToolDeclaration, path: string, rule: string | undefined][] = [
  [fsWrite, '../x', 'outside'],
  [fsWrite, '/etc/passwd', 'outside'],
  [fsWrite, 'a/../../x', 'outside'],
  [fsWrite, 'a\\..\\..\\x', 'outside'],
  [fsWrite, 'C:/x', 'outside'],
  [fsWrite, '~/x', 'outside'],
  [fsWrite, 'nowhere:x', 'outside'],
  [fsWrite, 'a\u202eb', 'outside'],
  [fsWrite, 'a\0b', 'outside'],
  [fsWrite, '.g\u200dit/config', 'outside'],
  [fsWrite, 'x'.repeat(5000), 'outside'],
  [fsRead, '.git/config', 'closed-folder'],
  [fsWrite, 'sub/.GIT/hooks/pre-commit', 'closed-folder'],
  [fsWrite, '.git', 'closed-folder'],
  [fsWrite, '.git./config', 'closed-folder'],
  [fsWrite, '.git::$INDEX_ALLOCATION/config', 'closed-folder'],
  [fsWrite, 'git~1/config', 'closed-folder'],
  [fsWrite, '.ｇit/config', 'closed-folder'],
  [fsWrite, '.Clawhold/clawhold.yaml', 'closed-folder'],
  [fsRead, 'repo:.git/config', 'closed-folder'],
  [fsWrite, 'repo:src/main.ts', 'read-only-root'],
  [fsWrite, 'agent:SOUL.md', 'agent-files'],
  [fsWrite, 'agent:RULES.md', 'agent-files'],
  [fsWrite, 'agent:SPECPLAN.md', 'agent-files'],
  [fsWrite, 'agent:agent.yaml', 'agent-files'],
  [fsWrite, 'agent:handoff.md', 'agent-files'],
  [fsWrite, 'agent:memory/../SOUL.md', 'agent-files'],
  [fsWrite, 'agent:memory/other', 'agent-files'],
  [fsWrite, 'agent:memory', 'agent-files'],
  [fsRead, 'agent:.', 'agent-files'],
  [fsWrite, 'agent:HANDOFF.md', undefined],
  [fsWrite, 'agent:DEVPLAN.md', undefined],
  [fsWrite, 'agent:memory/notes', undefined],
  [fsWrite, 'agent:memory/notes.md', undefined],
  [fsRead, 'agent:memory/other', undefined],
  [fsRead, 'agent:SOUL.md', undefined],
  [fsRead, 'agent:agent.yaml', 'agent-files'],
  [fsRead, 'repo:src/main.ts', undefined],
  [fsWrite, '.gitignore', undefined],
  [fsWrite, '.github/workflows/ci.yml', undefined],
];
for (const [tool, path, rule] of invariantCases) {
  test(`${tool.name} of ${JSON.stringify(path.slice(0, 40))} ${rule === undefined ? 'breaks no invariant' : `breaks the invariant ${rule}`}`, () => {
    const { verdict, rule: decided } = decide(call(tool, { path }), snapshot(...wide));

    assert.equal(verdict, rule === undefined ? 'allow' : 'deny');
    if (rule !== undefined) assert.equal(decided.id, rule);
  });
}

test('an invariant has the last word, and explain still sees every layer', () => {
  const decision = decide(call(fsWrite, { path: '../x' }), snapshot(...wide));

  assert.deepEqual(
    decision.layers.map(({ layer, verdict }) => `${layer} ${verdict}`),
    ['invariant deny', 'platform allow', 'tenant allow', 'agent allow'],
  );
});

test('an unknown tool is denied even where every layer allows everything', () => {
  const request = policyRequest({ ...call(fsRead, {}), tool: { name: '__proto__' } });

  assert.equal(decide(request, snapshot(...wide)).rule.id, 'unknown-tool');
  assert.equal(decide(request, compilePolicy(wide)).verdict, 'deny');
});

test('a failure to evaluate denies with its reason', () => {
  const healthy = snapshot(...wide);
  const [first, ...rest] = healthy.layers;
  assert.ok(first !== undefined);
  const rule = {
    ref: first.rules[0]?.ref,
    verdict: 'allow',
    tools: ['*'],
    get agents(): never {
      throw new Error('the matcher broke');
    },
  };
  const broken = { ...healthy, layers: [{ ...first, byTool: new Map(), rules: [rule] }, ...rest] } as unknown as PolicySnapshot;

  const decision = decide(call(fsRead, { path: 'a.md' }), broken);

  assert.equal(decision.verdict, 'deny');
  assert.equal(decision.rule.id, 'evaluation-error');
  assert.match(decision.reason, /the matcher broke/);
  assert.equal(decide(call(fsRead, { path: 'a.md' }), healthy).verdict, 'allow');
});

test('arguments that nest without end are denied, not a crash', () => {
  let deep: JsonObject = {};
  for (let depth = 0; depth < 50_000; depth += 1) deep = { deep };
  const policy = snapshot(
    platform('rules: [{ id: all, allow: "*" }, { id: no, deny: "*", args: { to: [x] } }]'),
    agent('grants: { mail.send: {} }'),
  );

  assert.equal(decide({ ...call(send, { body: 'x' }), args: { to: deep } }, policy).verdict, 'deny');
});

function heard(text: string): Trust {
  const trust = newTrust();
  trust.addUserText(text);
  return trust;
}

test('a recipient that the user named needs no question, another one does', () => {
  const trust = heard('Write to ann@example.org.');
  const policy = snapshot(...wide);

  assert.equal(decide(call(send, { to: 'ann@example.org', body: 'x' }, { trust }), policy).verdict, 'allow');
  const question = decide(call(send, { to: 'eve@example.org', body: 'x' }, { trust }), policy);
  assert.equal(question.verdict, 'ask');
  assert.equal(question.rule.id, 'untrusted-argument');
});

const flowCases: readonly { name: string; sources: PolicySource[]; tool?: ToolDeclaration; args: JsonObject; verdict: string }[] = [
  {
    name: 'a bound of the grant is a human allowlist',
    sources: [allowAll, agent('grants: { mail.send: { args: { to: ["*@example.org"] } } }')],
    args: { to: 'eve@example.org' },
    verdict: 'allow',
  },
  {
    name: 'a bound that admits everything is none',
    sources: [allowAll, agent('grants: { mail.send: { args: { to: ["*"] } } }')],
    args: { to: 'eve@example.org' },
    verdict: 'ask',
  },
  {
    name: 'a trusted value of the tenant needs no question',
    sources: [allowAll, tenant('trusted: [eve@example.org]\nrules: [{ id: all, allow: "*" }]'), agent('grants: { mail.send: {} }')],
    args: { to: ['eve@example.org'] },
    verdict: 'allow',
  },
  {
    name: 'a trusted value does not vouch for its neighbour',
    sources: [allowAll, tenant('trusted: [eve@example.org]\nrules: [{ id: all, allow: "*" }]'), agent('grants: { mail.send: {} }')],
    args: { to: ['eve@example.org', 'mallory@example.org'] },
    verdict: 'ask',
  },
  {
    name: 'a bound of another grant of the tool does not vouch',
    sources: [allowAll, agent('grants: { mail.send: [{ args: { to: [ann@example.org] } }, {}] }')],
    args: { to: 'eve@example.org' },
    verdict: 'ask',
  },
  { name: 'the workspace is the allowlist of file tools', sources: wide, tool: fsWrite, args: { path: 'docs/new.md' }, verdict: 'allow' },
  {
    name: 'a host bound is a human allowlist',
    sources: [allowAll, agent('grants: { http.fetch: { hosts: ["*.example.org"] } }')],
    tool: fetch,
    args: { url: 'https://api.example.org/x' },
    verdict: 'allow',
  },
  {
    name: 'a host bound of * is none',
    sources: [allowAll, agent('grants: { http.fetch: { hosts: ["*"] } }')],
    tool: fetch,
    args: { url: 'https://api.example.org/x' },
    verdict: 'ask',
  },
  {
    name: 'a subdomain bound does not admit a look-alike',
    sources: [allowAll, agent('grants: { http.fetch: { hosts: ["*.example.org"] } }')],
    tool: fetch,
    args: { url: 'https://evilexample.org/' },
    verdict: 'deny',
  },
  {
    name: 'an argument that is not declared is a destination',
    sources: wide,
    args: { to: 'ann@example.org', bcc: 'eve@example.org' },
    verdict: 'ask',
  },
  {
    name: 'an argument named __proto__ is an argument',
    sources: wide,
    args: JSON.parse('{"to": "ann@example.org", "__proto__": "eve@example.org"}') as JsonObject,
    verdict: 'ask',
  },
];
for (const { name, sources, tool, args, verdict } of flowCases) {
  test(name, () => {
    const trust = heard('ann@example.org');

    assert.equal(decide(call(tool ?? send, args, { trust }), snapshot(...sources)).verdict, verdict);
  });
}

test('flow never softens a layer: a denied call with trusted arguments stays denied', () => {
  const policy = snapshot(platform('trusted: [eve@example.org]\nrules: [{ id: no, deny: mail.send }]'), agent('grants: { mail.send: {} }'));

  assert.equal(decide(call(send, { to: 'eve@example.org' }, { trust: heard('eve@example.org') }), policy).verdict, 'deny');
});

test('the strict preset asks for an outside effect after private data and untrusted content', () => {
  const strict = snapshot(
    allowAll,
    tenant('flow: strict\nrules: [{ id: all, allow: "*" }]'),
    agent('grants: { mail.send: {}, fs.write: {} }'),
  );
  const trust = heard('ann@example.org');
  const request = call(send, { to: 'ann@example.org' }, { trust });

  assert.equal(decide(request, strict).verdict, 'allow');
  assert.equal(decide({ ...request, run: { hasPrivate: true, hasUntrusted: false } }, strict).verdict, 'allow');
  assert.equal(decide({ ...request, run: { hasPrivate: true, hasUntrusted: true } }, strict).rule.id, 'rule-of-two');
  assert.equal(decide({ ...call(fsWrite, { path: 'a' }), run: { hasPrivate: true, hasUntrusted: true } }, strict).verdict, 'allow');
});
