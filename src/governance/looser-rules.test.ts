import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { PolicyRequest, Resource } from '../contracts/policy.ts';
import type { ToolDeclaration } from '../contracts/tool.ts';
import { looserRules, refuseLooserTenant } from './looser-rules.ts';
import { compilePolicy, type PolicySnapshot } from './policy-snapshot.ts';
import { policyTemplates } from './policy-templates.ts';
import { boundsHold, coversTool, factsOf } from './policy/covers.ts';
import { ruleCovers } from './policy/rule-covers.ts';

const base = { summary: '', parameters: {}, structured: [], args: {}, recovery: 'redo' } as const;
const tools: readonly ToolDeclaration[] = [
  { ...base, name: 'fs.read', effects: ['read'], args: { path: { role: 'selector', kind: 'path' } } },
  { ...base, name: 'fs.write', effects: ['mutating'], args: { path: { role: 'destination', kind: 'path' } } },
  { ...base, name: 'http.fetch', effects: ['outside'] },
  { ...base, name: 'mail.send', effects: ['outside', 'mutating'] },
];

function compile(platform: string, tenant: string, agent = ''): PolicySnapshot {
  const sources = [
    { layer: 'platform', file: 'policies/platform.yaml', text: `version: 1\n${platform}\n` },
    { layer: 'tenant', file: 'tenants/acme/policy.yaml', text: `version: 1\n${tenant}\n` },
    { layer: 'agent', file: 'tenants/acme/agents/a/agent.yaml', text: `version: 1\n${agent}\n` },
  ] as const;
  return compilePolicy(sources, { tools });
}

function rules(...given: readonly string[]): string {
  return `rules:\n${given.map((rule, at) => `  - { id: r${at}, ${rule} }`).join('\n')}`;
}

function valuesOf(platform: string, tenant: string): string[] {
  return looserRules(compile(rules('allow: "*"', platform), rules(tenant))).map(({ value }) => value);
}

const looser: readonly (readonly [name: string, platform: string, tenant: string, values: readonly string[]])[] = [
  ['the same tool', 'deny: mail.send', 'allow: mail.send', ['allow: mail.send']],
  ['a tool of a denied group', 'deny: mail.*', 'allow: mail.send', ['allow: mail.send']],
  ['a group where all tools are denied', 'deny: "*"', 'allow: fs.*', ['allow: fs.*']],
  ['one tool of several', 'deny: mail.send', 'allow: [fs.read, mail.send]', ['allow: mail.send']],
  ['a question about what is denied', 'deny: mail.send', 'ask: mail.send', ['ask: mail.send']],
  ['a narrower allow of a denied tool', 'deny: fs.write', 'allow: fs.write, paths: [docs/**]', ['allow: fs.write']],
  [
    'a path in a denied folder',
    'deny: fs.write, paths: [secrets/**]',
    'allow: fs.write, paths: [secrets/public/*.md]',
    ['allow: fs.write'],
  ],
  ['one path of several', 'deny: "*", paths: ["*:secrets/**"]', 'allow: fs.read, paths: [docs/**, secrets/a]', ['paths: secrets/a']],
  [
    'another spelling of a denied path',
    'deny: "*", paths: ["*:secrets/**"]',
    'allow: fs.read, paths: [Secrets/**, docs/**]',
    ['paths: Secrets/**'],
  ],
  ['braces within denied braces', 'deny: "*", paths: ["**/*.{pem,key}"]', 'allow: fs.read, paths: ["keys/{a,b}.pem"]', ['allow: fs.read']],
  [
    'a host of a denied domain',
    'deny: http.fetch, hosts: ["*.evil.example"]',
    'allow: http.fetch, hosts: [a.evil.example]',
    ['allow: http.fetch'],
  ],
  [
    'a host with a port',
    'deny: http.fetch, hosts: [evil.example]',
    'allow: http.fetch, hosts: ["evil.example:8443", good.example]',
    ['hosts: evil.example:8443'],
  ],
  ['a method', 'deny: http.fetch, methods: [POST, PUT]', 'allow: http.fetch, hosts: [a.example], methods: [GET, POST]', ['methods: POST']],
  ['an effect that the tool has', 'deny: "*", effects: [outside]', 'allow: [fs.read, http.fetch]', ['allow: http.fetch']],
  [
    'a command',
    'deny: "*", commands: [npm publish]',
    'allow: fs.read, commands: [npm test, npm publish --tag *]',
    ['commands: npm publish --tag *'],
  ],
  ['an open command', 'deny: "*", commands: [rm]', 'allow: fs.read, commands: ["rm **"]', ['allow: fs.read']],
  ['any command where all are denied', 'deny: "*", commands: ["**"]', 'allow: fs.read, commands: ["**"]', ['allow: fs.read']],
  ['a folder of commands', 'deny: "*", cwd: [deploy/**]', 'allow: fs.read, cwd: [deploy/x, src]', ['cwd: deploy/x']],
  [
    'a value of an argument',
    'deny: "*", args: { to: ["*@evil.example"] }',
    'allow: mail.send, args: { to: [a@evil.example, b@good.example] }',
    ['args: to: a@evil.example'],
  ],
  ['an agent', 'deny: mail.send, agents: [intern-*]', 'allow: mail.send, agents: [intern-1, chief]', ['agents: intern-1']],
];
for (const [name, platform, tenant, values] of looser) {
  test(`looser: ${name}`, () => {
    assert.deepEqual(valuesOf(platform, tenant), values);
  });
}

const narrower: readonly (readonly [name: string, platform: string, tenant: string])[] = [
  ['a file that leaves all to the platform, whatever that denies', 'deny: "*"', 'allow: "*"'],
  ['a wider allow, which gives what is left', 'deny: "*", paths: ["*:**/.env"]', 'allow: "*"'],
  ['a path that meets the denied one in part', 'deny: fs.write, paths: [secrets/*.key]', 'allow: fs.write, paths: [secrets/**]'],
  ['a group with a denied tool in it', 'deny: mail.send', 'allow: mail.*'],
  ['another tool', 'deny: mail.send', 'allow: mail.read'],
  ['an allow where the platform asks', 'ask: fs.write', 'allow: fs.write'],
  ['a deny of one’s own', 'deny: mail.send', 'deny: mail.send'],
  ['an allow without paths', 'deny: fs.read, paths: ["*:**"]', 'allow: fs.read'],
  ['a path in another root', 'deny: "*", paths: [secrets/**]', 'allow: fs.read, paths: ["repo:secrets/**"]'],
  ['one folder less deep', 'deny: fs.read, paths: ["a/*"]', 'allow: fs.read, paths: ["a/**"]'],
  ['a domain where one host is denied', 'deny: http.fetch, hosts: [a.example.org]', 'allow: http.fetch, hosts: ["*.example.org"]'],
  ['any port where one is denied', 'deny: http.fetch, hosts: ["a.example:80"]', 'allow: http.fetch, hosts: [a.example]'],
  ['a host without a method', 'deny: http.fetch, methods: [POST]', 'allow: http.fetch, hosts: [a.example]'],
  ['a method without a host', 'deny: http.fetch, hosts: [a.example]', 'allow: http.fetch, methods: [GET]'],
  ['a longer command word', 'deny: "*", commands: [npm publish]', 'allow: fs.read, commands: [npm test]'],
  ['a command with any word', 'deny: "*", commands: [npm publish]', 'allow: fs.read, commands: ["npm *"]'],
  ['an argument that may be absent', 'deny: "*", args: { to: ["*"] }', 'allow: mail.send'],
  ['an argument with a wider value', 'deny: "*", args: { to: [a@b.example] }', 'allow: mail.send, args: { to: ["*@b.example"] }'],
  ['a deny for a variable that a call may set', 'deny: "*", env: [TOKEN]', 'allow: fs.read, commands: [npm test], env: [TOKEN]'],
  ['all agents where one is denied', 'deny: mail.send, agents: [intern]', 'allow: mail.send'],
  ['an effect that the tool has not', 'deny: "*", effects: [outside]', 'allow: fs.read'],
  ['an effect of a tool that is not known', 'deny: "*", effects: [outside]', 'allow: db.query'],
  ['a wildcard that may be empty', 'deny: "*", args: { to: ["a?*"] }', 'allow: mail.send, args: { to: ["a*"] }'],
];
for (const [name, platform, tenant] of narrower) {
  test(`not looser: ${name}`, () => {
    assert.deepEqual(valuesOf(platform, tenant), []);
  });
}

test('a tenant’s file that loosens the platform’s is refused with both lines, all of them at once', () => {
  const platform =
    'sandbox: { minimum: container }\nrules:\n  - { id: core, allow: "*" }\n  - { id: no-mail, deny: mail.*, why: Mail is off. }';
  const tenant = 'sandbox: { minimum: namespace }\nrules:\n  - { id: all, allow: "*" }\n  - { id: mail, allow: mail.send }';

  assert.throws(
    () => refuseLooserTenant(compile(platform, tenant)),
    (error: Error & { code: string; remedy: string }) => {
      assert.deepEqual([error.code, error.remedy], ['governance.looser-layer', 'fix-request']);
      assert.deepEqual(error.message.split('\n'), [
        'tenants/acme/policy.yaml:5: mail gives "allow: mail.send", which policies/platform.yaml:5 (no-mail) denies (Mail is off), for example mail.send; a lower layer only narrows. Remove it, or have the higher rule changed.',
        'tenants/acme/policy.yaml:2: sandbox.minimum: namespace cannot be used, because policies/platform.yaml:2 demands a stronger one and a lower layer only narrows. Remove it.',
      ]);
      return true;
    },
  );
});

test('flow: labels below strict, and what a tenant may do, are as before', () => {
  assert.throws(() => compile('flow: strict', 'flow: labels'), { code: 'governance.looser-layer' });
  refuseLooserTenant(compile('sandbox: { minimum: container }', 'sandbox: { minimum: microvm }'));
  refuseLooserTenant(
    compile(
      policyTemplates['policies/platform.yaml'].replace('version: 1', ''),
      policyTemplates['tenants/default/policy.yaml'].replace('version: 1', ''),
    ),
  );
});

test('a grant that a layer above denies is told and not refused: a deny stops its calls, and nothing else', () => {
  const snapshot = compile(rules('allow: "*"'), rules('allow: "*"', 'deny: mail.send'), 'grants:\n  fs.read: {}\n  mail.send: {}');

  refuseLooserTenant(snapshot);
  assert.deepEqual(
    looserRules(snapshot).map(({ rule, higher, witness }) => [rule.layer, rule.id, rule.line, higher.layer, higher.line, witness]),
    [['agent', 'grants.mail.send', 4, 'tenant', 4, 'mail.send']],
  );
});

test('the witness is a call that the lower rule covers and the higher one forbids', () => {
  const witnesses = looser.map(([, platform, tenant]) => looserRules(compile(rules('allow: "*"', platform), rules(tenant)))[0]?.witness);

  assert.ok(witnesses.includes('fs.write "secrets/public/x.md"'), JSON.stringify(witnesses));
  assert.ok(witnesses.includes('fs.read "npm publish --tag x"'), JSON.stringify(witnesses));
});

const segment = fc.constantFrom('a', 'b', 'A', '*', '?', 'a*', '*b', 'a?b', '**');
const glob = fc
  .array(segment, { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'))
  .filter((text) => !text.includes('**/**'));
const host = fc.constantFrom('a.example', '*.example', '*', 'a.example:80', '*.a.example');
const word = fc.constantFrom('npm', 'test', 'run', '*', 't*', 'te?t');
const command = fc
  .tuple(fc.constantFrom('npm', 'rm'), fc.array(word, { maxLength: 2 }), fc.boolean())
  .map(([program, words, isOpen]) => [program, ...words, ...(isOpen ? ['**'] : [])].join(' '));
const value = fc.constantFrom('x', 'X', 'x*', '*x', '?', '*', 'x?*');
const rarely = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: one });
const some = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[] | undefined> => rarely(fc.array(one, { minLength: 1, maxLength: 2 }));
const bounds = fc.record({
  paths: some(fc.tuple(fc.constantFrom('', '*:', 'repo:'), glob).map((parts) => parts.join(''))),
  hosts: some(host),
  methods: some(fc.constantFrom('GET', 'POST')),
  commands: some(command),
  cwd: some(glob),
  agents: some(fc.constantFrom('a', 'b', 'a*', '*')),
  args: rarely(fc.dictionary(fc.constantFrom('to', 'id'), fc.array(value, { minLength: 1, maxLength: 2 }), { minKeys: 1 })),
});
const name = fc.constantFrom('a', 'b', 'A', 'ab', 'axb', 'B', 'x');
const resource: fc.Arbitrary<Resource> = fc.oneof(
  fc.record({
    kind: fc.constant('file' as const),
    argument: fc.constant('path'),
    root: fc.constantFrom('workspace', 'repo'),
    path: fc.array(name, { maxLength: 4 }).map((parts) => (parts.length === 0 ? '.' : parts.join('/'))),
    access: fc.constant('read' as const),
  }),
  fc
    .record({
      host: fc.constantFrom('a.example', 'b.example', 'x.a.example', 'c.test'),
      port: fc.constantFrom(80, 443),
      method: fc.constantFrom('GET', 'POST'),
    })
    .map((one) => ({ kind: 'host' as const, argument: 'url', ...one })),
  fc
    .record({
      argv: fc
        .tuple(fc.constantFrom('npm', 'rm', '/bin/rm'), fc.array(fc.constantFrom('test', 'run', 'txt', 't', 'x'), { maxLength: 4 }))
        .map(([program, rest]) => [program, ...rest]),
      cwd: fc.array(name, { maxLength: 3 }).map((parts) => (parts.length === 0 ? '.' : parts.join('/'))),
    })
    .map((one) => ({ kind: 'command' as const, argument: 'argv', env: [], seconds: 1, ...one })),
);
const requests = fc.array(
  fc.record({
    agent: fc.constantFrom('a', 'b', 'ab'),
    resources: fc.array(resource, { minLength: 1, maxLength: 2 }),
    args: fc.dictionary(fc.constantFrom('to', 'id'), fc.constantFrom('x', 'X', 'xy', '', 'ax')),
  }),
  { minLength: 40, maxLength: 60 },
);

function requestOf(one: {
  readonly agent: string;
  readonly resources: readonly Resource[];
  readonly args: Record<string, string>;
}): PolicyRequest {
  return {
    tenant: 'acme' as TenantId,
    agent: one.agent as AgentId,
    principal: { kind: 'user', id: 'me' },
    tool: 'fs.read',
    effects: ['read'],
    args: one.args,
    resources: one.resources,
    labels: [],
    run: { hasPrivate: false, hasUntrusted: false },
    nowMs: 0,
  };
}

test('what is called covered is covered: no call that the inner rule admits passes by the deny', () => {
  let covered = 0;
  let admitted = 0;
  fc.assert(
    fc.property(bounds, bounds, fc.boolean(), requests, (inner, given, isNarrowed, calls) => {
      // Two unrelated rules rarely cover each other: half of the denies are the inner rule with bounds taken away.
      const outer = isNarrowed ? Object.fromEntries(Object.entries(inner).filter((_, at) => at % 2 === 0)) : given;
      const clean = (rule: object): string => JSON.stringify(rule).slice(1, -1);
      const text = (verdict: string, rule: object): string =>
        `rules: [{ "id": "r", "${verdict}": "fs.read"${clean(rule) === '' ? '' : `, ${clean(rule)}`} }]`;
      const { layers } = compile(text('deny', outer), text('allow', inner));
      const [deny, allow] = [layers[0]!.rules[0]!, layers[1]!.rules[0]!];
      if (!ruleCovers(deny, allow, () => ['read'])) return;
      covered += 1;
      for (const call of calls) {
        const request = requestOf(call);
        const facts = factsOf(request);
        if (!coversTool(allow, request.tool) || !boundsHold(allow, facts)) continue;
        admitted += 1;
        assert.ok(boundsHold(deny, facts), JSON.stringify({ inner, outer, call }));
      }
    }),
    { numRuns: 1200, seed: 7 },
  );
  assert.ok(covered > 100 && admitted > 100, `${covered} rules covered, ${admitted} calls admitted`);
});
