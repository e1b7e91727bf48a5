import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PolicySource } from '../contracts/policy.ts';
import type { ToolDeclaration } from '../contracts/tool.ts';
import { builtinPlatformPolicy, policyTemplates } from './policy-templates.ts';
import { compilePolicy } from './policy-snapshot.ts';

const base = { summary: '', parameters: {}, effects: ['read'], structured: [], recovery: 'redo' } as const;
const tools: readonly ToolDeclaration[] = [
  { ...base, name: 'fs.read', args: { path: { role: 'selector', kind: 'path' } } },
  { ...base, name: 'fs.write', args: { path: { role: 'destination', kind: 'path', access: 'write' }, content: { role: 'content' } } },
];

function platform(text: string): PolicySource {
  return { layer: 'platform', file: 'policies/platform.yaml', text };
}
function tenant(text: string): PolicySource {
  return { layer: 'tenant', file: 'tenants/default/policy.yaml', text };
}
function agent(text: string): PolicySource {
  return { layer: 'agent', file: 'agents/scribe/agent.yaml', text };
}

test('a platform and a tenant file that are missing are replaced by the built-in ones, which are sources too', () => {
  const { sources, layers } = compilePolicy([agent('version: 1\n')], { tools });

  assert.deepEqual(
    sources.map(({ file }) => file),
    ['builtin:platform', 'builtin:tenant', 'agents/scribe/agent.yaml'],
  );
  assert.equal(sources[0]?.text, builtinPlatformPolicy);
  assert.equal(layers.length, 3);
});

test('the files that init writes compile, with their examples', () => {
  const snapshot = compilePolicy(
    [platform(policyTemplates['policies/platform.yaml']), tenant(policyTemplates['tenants/default/policy.yaml'])],
    { tools },
  );

  assert.deepEqual(
    snapshot.layers.map(({ rules }) => rules.map(({ ref }) => ref.id)),
    [['core-tools', 'protected-files'], ['platform-decides'], []],
  );
});

test('the hash is that of the sources: the same texts, whatever their order, the same hash; one byte, another', () => {
  const sources = [platform('version: 1\nrules: []\n'), agent('version: 1\n')];

  const { hash } = compilePolicy(sources);

  assert.equal(compilePolicy(sources.toReversed()).hash, hash);
  assert.equal(compilePolicy(compilePolicy(sources).sources).hash, hash);
  assert.notEqual(compilePolicy([platform('version: 1\nrules: [] \n'), agent('version: 1\n')]).hash, hash);
});

test('a rule and a grant know their file and line', () => {
  const { layers } = compilePolicy([
    platform('version: 1\nrules:\n  - id: one\n    allow: "*"\n  - id: two\n    deny: fs.write\n'),
    agent('version: 1\ngrants:\n  fs.read: {}\n  fs.write:\n    - paths: ["docs/**"]\n    - paths: ["reports/**"]\n'),
  ]);

  assert.deepEqual(
    layers[0]?.rules.map(({ ref }) => ref.line),
    [3, 5],
  );
  assert.deepEqual(
    layers[2]?.rules.map(({ ref }) => `${ref.id}:${ref.line}`),
    ['grants.fs.read:3', 'grants.fs.write:5', 'grants.fs.write:6'],
  );
});

const rule = (text: string): PolicySource => platform(`version: 1\nrules:\n  - id: docs\n${text.replace(/^/gm, '    ')}\n`);
const refusals: readonly { name: string; sources: PolicySource[]; message: RegExp }[] = [
  {
    name: 'an example that must match and does not',
    sources: [rule('allow: fs.write\npaths: ["docs/**"]\nexamples:\n  match:\n    - { tool: fs.write, args: { path: src/a.ts } }')],
    message: /platform\.yaml:8: the example fs\.write \{"path":"src\/a\.ts"\} fails: docs \(line 3\) must match it, but does not cover it/,
  },
  {
    name: 'an example that must not match and does',
    sources: [rule('deny: fs.write\nexamples: { skip: [{ tool: fs.write, args: { path: docs/a.md } }] }')],
    message: /must not match it, but covers it and decides deny/,
  },
  {
    name: 'an example of a grant',
    sources: [agent('version: 1\ngrants:\n  fs.write:\n    paths: ["docs/**"]\n    examples:\n      match: [{ path: a.md }]\n')],
    message: /agent\.yaml:6: the example fs\.write \{"path":"a\.md"\} fails/,
  },
  {
    name: 'an example whose path no agent may name',
    sources: [rule('allow: fs.write\nexamples: { match: [{ tool: fs.write, args: { path: ../a.md } }] }')],
    message: /because the path "\.\.\/a\.md" leads out of its root/,
  },
  {
    name: 'a pattern that cannot be used',
    sources: [rule('allow: fs.write\npaths: ["docs/[ab]"]')],
    message: /platform\.yaml:3: docs: The pattern "docs\/\[ab\]" cannot be used/,
  },
  {
    name: 'a host that cannot be one',
    sources: [rule('allow: http.fetch\nhosts: ["https://a b"]')],
    message: /platform\.yaml:3: docs: The host "https:\/\/a b"/,
  },
  { name: 'a tool pattern that cannot match', sources: [rule('allow: "f*"')], message: /The tool "f\*" cannot be used/ },
  {
    name: 'a grant for a pattern of tools',
    sources: [agent('version: 1\ngrants: { "fs.*": {} }\n')],
    message: /must be the whole name of one tool/,
  },
  { name: 'an unknown field', sources: [rule('allow: fs.write\npath: docs/**')], message: /platform\.yaml:5.*path/s },
  { name: 'a rule with two verdicts', sources: [rule('allow: fs.write\ndeny: fs.write')], message: /exactly one of allow, ask and deny/ },
  {
    name: 'a rule id twice',
    sources: [platform('version: 1\nrules:\n  - { id: a, allow: "*" }\n  - { id: a, deny: "*" }\n')],
    message: /platform\.yaml:4: the rule id "a" is taken, because the rule at line 3 has it/,
  },
  {
    name: 'a tenant that loosens the flow',
    sources: [platform('version: 1\nflow: strict\nrules: []\n'), tenant('version: 1\nflow: labels\nrules: []\n')],
    message: /tenants\/default\/policy\.yaml:2: flow: labels cannot be used, because policies\/platform\.yaml:2 says strict/,
  },
  {
    name: 'an agent that loosens the flow',
    sources: [tenant('version: 1\nflow: strict\nrules: []\n'), agent('version: 1\nflow: labels\n')],
    message: /agents\/scribe\/agent\.yaml:2: flow: labels cannot be used/,
  },
  { name: 'two files for one layer', sources: [tenant('version: 1\n'), tenant('version: 1\n')], message: /The tenant layer has 2 files/ },
  { name: 'an alias that multiplies itself', sources: [platform('version: 1\nrules: &a [*a, *a]\n')], message: /./ },
];
for (const { name, sources, message } of refusals) {
  test(`refused at load: ${name}`, () => {
    assert.throws(
      () => compilePolicy(sources, { tools }),
      (error: Error) => {
        assert.match(error.message, message);
        return true;
      },
    );
  });
}

test('an example that fails is not looked at without tools: the same file compiles, so the check is the example', () => {
  const source = rule('allow: fs.write\npaths: ["docs/**"]\nexamples: { match: [{ tool: fs.write, args: { path: src/a.ts } }] }');

  assert.doesNotThrow(() => compilePolicy([source]));
});

test('an example of a tool that this installation lacks is judged by the name alone', () => {
  assert.doesNotThrow(() =>
    compilePolicy([rule('allow: http.fetch\nhosts: [a.example]\nexamples: { match: [{ tool: http.fetch }] }')], { tools }),
  );
  assert.throws(() => compilePolicy([rule('allow: http.fetch\nexamples: { match: [{ tool: mail.send }] }')], { tools }), /fails/);
});
