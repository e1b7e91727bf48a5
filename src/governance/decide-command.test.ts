import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { SandboxFacts } from '../contracts/isolation.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { Decision, LayerName, PolicyRequest } from '../contracts/policy.ts';
import type { ToolDeclaration } from '../contracts/tool.ts';
import { decide } from './decide.ts';
import { withGrantedTime } from './granted-time.ts';
import { newTrust, type Trust } from './labels.ts';
import { compilePolicy, type PolicySnapshot } from './policy-snapshot.ts';
import { policyRequest, requestHash } from './request.ts';
import { readResources } from './resources.ts';

const shell: ToolDeclaration = {
  name: 'shell.exec',
  summary: 'Runs a program.',
  parameters: { type: 'object', properties: {} },
  effects: ['private', 'mutating'],
  args: {
    argv: { role: 'selector', kind: 'command' },
    cwd: { role: 'selector', kind: 'path' },
    env: { role: 'selector' },
    stdin: { role: 'content' },
    timeoutSeconds: { role: 'selector' },
  },
  structured: [],
  recovery: 'ask-human',
};
const bwrap: SandboxFacts = { available: true, driver: 'bwrap', isolation: 'namespace', network: 'none' };

interface Given {
  readonly sandbox?: SandboxFacts | undefined;
  readonly trust?: Trust;
}

function request(args: JsonObject, given: Given = {}): PolicyRequest {
  return policyRequest({
    tenant: 'default' as TenantId,
    agent: 'builder' as AgentId,
    principal: { kind: 'user', id: 'local' },
    tool: shell,
    args,
    resources: readResources(shell, args, ['repo']),
    sandbox: bwrap,
    nowMs: 0,
    ...given,
  });
}

function policy(files: Readonly<Partial<Record<LayerName, string>>>): PolicySnapshot {
  const layers = { platform: 'rules: [{ id: all, allow: "*" }]', tenant: 'rules: [{ id: all, allow: "*" }]', ...files };
  const sources = Object.entries(layers).map(([layer, text]) => ({ layer: layer as LayerName, file: layer, text: `version: 1\n${text}` }));
  return compilePolicy(sources, { tools: [shell] });
}

const granted = policy({ agent: 'grants: { shell.exec: { commands: ["npm test", "git log **"] } }' });
const answer = (args: JsonObject, snapshot = granted, given: Given = {}): Decision => decide(request(args, given), snapshot);

test('a granted command is allowed, another one is denied with the line that would allow it', () => {
  assert.equal(answer({ argv: ['npm', 'test'] }).verdict, 'allow');

  const denied = answer({ argv: ['npm', 'publish', 'a b; $(id)'] });
  assert.equal(denied.verdict, 'deny');
  const line = /shell\.exec: (\{.*\})$/.exec(denied.remedy)?.[1] ?? '';
  const wider = policy({ agent: `grants: { shell.exec: ${line} }` });
  assert.equal(answer({ argv: ['npm', 'publish', 'a b; $(id)'] }, wider).verdict, 'allow');
  assert.equal(answer({ argv: ['npm', 'publish', 'a b;'] }, wider).verdict, 'deny');
});

test('without a sandbox no rule allows a command, and the reason is that of the probe', () => {
  const everything = policy({ agent: 'grants: { shell.exec: {} }' });
  const dead = answer({ argv: ['ls'] }, everything, { sandbox: { available: false, reason: 'bwrap: no user namespaces here.' } });
  const never = answer({ argv: ['ls'] }, everything, { sandbox: undefined });

  assert.deepEqual([dead.verdict, dead.rule.id], ['deny', 'sandbox.unavailable']);
  assert.match(dead.reason, /no user namespaces here/);
  assert.deepEqual([never.verdict, never.rule.id], ['deny', 'sandbox.unavailable']);
  assert.equal(answer({ argv: ['ls'] }, everything).verdict, 'allow');
});

for (const layer of ['platform', 'tenant', 'agent'] as const) {
  test(`a minimum class in the ${layer} file denies a weaker sandbox, and no other layer loosens it`, () => {
    const rules = layer === 'agent' ? 'grants: { shell.exec: {} }' : 'rules: [{ id: all, allow: "*" }]';
    const looser = 'sandbox: { minimum: namespace }';
    const files = {
      platform: `${looser}\nrules: [{ id: all, allow: "*" }]`,
      tenant: `${looser}\nrules: [{ id: all, allow: "*" }]`,
      agent: `${looser}\ngrants: { shell.exec: {} }`,
    };
    const strict = policy({ ...files, [layer]: `sandbox: { minimum: container }\n${rules}` });

    assert.equal(strict.sandbox.minimum, 'container');
    assert.equal(answer({ argv: ['ls'] }, strict).rule.id, 'sandbox.unavailable');
    assert.equal(answer({ argv: ['ls'] }, strict, { sandbox: { ...bwrap, driver: 'oci', isolation: 'container' } }).verdict, 'allow');
  });
}

const bounded: readonly (readonly [name: string, grant: string, args: JsonObject, verdict: 'allow' | 'deny'])[] = [
  ['a variable where none is listed', 'commands: ["npm test"]', { argv: ['npm', 'test'], env: { LD_PRELOAD: './x.so' } }, 'deny'],
  ['a listed variable', 'commands: ["npm test"], env: [NODE_ENV]', { argv: ['npm', 'test'], env: { NODE_ENV: 'test' } }, 'allow'],
  [
    'a listed variable and another',
    'commands: ["npm test"], env: [NODE_ENV]',
    { argv: ['npm', 'test'], env: { NODE_ENV: 'test', NODE_OPTIONS: '--require=./x' } },
    'deny',
  ],
  ['any variable where no command is listed', '', { argv: ['npm', 'test'], env: { A: 'b' } }, 'allow'],
  ['the workspace, where folders are listed', 'cwd: ["packages/**"]', { argv: ['ls'] }, 'deny'],
  ['a listed folder', 'cwd: ["packages/**"]', { argv: ['ls'], cwd: 'packages/a/' }, 'allow'],
  ['a folder outside', '', { argv: ['ls'], cwd: '../x' }, 'deny'],
  ['the workspace as the command sees it', 'cwd: ["."]', { argv: ['ls'], cwd: '/workspace' }, 'allow'],
  ['a listed folder as the command sees it', 'cwd: ["packages/**"]', { argv: ['ls'], cwd: '/workspace/packages/a' }, 'allow'],
  ['another folder as the command sees it', 'cwd: ["packages/**"]', { argv: ['ls'], cwd: '/workspace/src' }, 'deny'],
  ['out of the workspace as the command sees it', '', { argv: ['ls'], cwd: '/workspace/../x' }, 'deny'],
  ['a folder beside it', '', { argv: ['ls'], cwd: '/workspacefoo' }, 'deny'],
  ['two slashes before it', '', { argv: ['ls'], cwd: '//workspace' }, 'deny'],
  ['two slashes within it', '', { argv: ['ls'], cwd: '/workspace//etc' }, 'deny'],
  ['a protected folder as the command sees it', '', { argv: ['ls'], cwd: '/workspace/.git/hooks' }, 'deny'],
  ['a folder of another root', '', { argv: ['ls'], cwd: 'repo:src' }, 'deny'],
  ['a protected folder', '', { argv: ['ls'], cwd: '.git/hooks' }, 'deny'],
  ['more time than granted', 'seconds: 60', { argv: ['ls'], timeoutSeconds: 61 }, 'deny'],
  ['as much time as granted', 'seconds: 60', { argv: ['ls'], timeoutSeconds: 60 }, 'allow'],
  ['a command with a question among the grants', 'commands: ["npm test"], ask: true', { argv: ['env', 'npm', 'test'] }, 'deny'],
  ['text instead of words', '', { argv: 'npm test' }, 'deny'],
  ['no words', '', { argv: [] }, 'deny'],
  ['no argv', '', {}, 'deny'],
  ['a word that is none', '', { argv: ['ls', 1] }, 'deny'],
  ['a NUL', '', { argv: ['ls', 'a\0b'] }, 'deny'],
  ['a relative program', '', { argv: ['./build.sh'] }, 'deny'],
  ['a program through a parent folder', '', { argv: ['/workspace/../bin/sh'] }, 'deny'],
];

for (const [name, grant, args, verdict] of bounded) {
  test(`a grant {${grant}}: ${name}: ${verdict}`, () => {
    assert.equal(answer(args, policy({ agent: `grants: { shell.exec: {${grant}} }` })).verdict, verdict);
  });
}

interface TimeCase {
  readonly name: string;
  readonly args?: JsonObject;
  readonly files: Parameters<typeof policy>[0];
  readonly gets: number | undefined;
}

const times: readonly TimeCase[] = [
  { name: 'the default where more is granted', files: { agent: 'grants: { shell.exec: { seconds: 600 } }' }, gets: undefined },
  { name: 'the default where nothing bounds it', files: { agent: 'grants: { shell.exec: {} }' }, gets: undefined },
  { name: 'what is granted, where that is less', files: { agent: 'grants: { shell.exec: { seconds: 60 } }' }, gets: 60 },
  {
    name: 'the longest of several grants',
    files: { agent: 'grants: { shell.exec: [{ seconds: 5 }, { seconds: 60 }, { commands: [make], seconds: 90 }] }' },
    gets: 60,
  },
  {
    name: 'the shortest of the layers',
    files: { agent: 'grants: { shell.exec: { seconds: 60 } }', platform: 'rules: [{ id: short, allow: "*", seconds: 20 }]' },
    gets: 20,
  },
  { name: 'what a question is about', files: { agent: 'grants: { shell.exec: { seconds: 30, ask: true } }' }, gets: 30 },
  { name: 'what it names itself', args: { timeoutSeconds: 61 }, files: { agent: 'grants: { shell.exec: { seconds: 60 } }' }, gets: 61 },
  { name: 'nothing where it is denied', files: { agent: 'grants: { shell.exec: { commands: [make], seconds: 60 } }' }, gets: undefined },
];

for (const { name, args, files, gets } of times) {
  test(`the time of a command: ${name}`, () => {
    const written = request({ argv: ['ls'], ...args });
    const asked = withGrantedTime(written, [policy(files)]);

    assert.equal(asked.args['timeoutSeconds'], gets);
    assert.deepEqual(
      asked.resources.flatMap((resource) => (resource.kind === 'command' ? [resource.seconds] : [])),
      [gets ?? 120],
    );
  });
}

test('a command without a time is allowed for the time that is granted, by every policy of the run, and bound to it', () => {
  const [longer, shorter] = ['60', '30'].map((seconds) => policy({ agent: `grants: { shell.exec: { seconds: ${seconds} } }` }));
  assert.ok(longer !== undefined && shorter !== undefined);
  const written = request({ argv: ['ls'] });

  assert.equal(decide(written, longer).verdict, 'deny');
  assert.equal(decide(withGrantedTime(written, [longer]), longer).verdict, 'allow');
  assert.equal(withGrantedTime(written, [longer, shorter]).args['timeoutSeconds'], 30);
  assert.notEqual(requestHash(withGrantedTime(written, [longer])), requestHash(withGrantedTime(written, [longer, shorter])));
});

test('an example without a time is covered by a grant of less than the default', () => {
  const agent = (examples: string): string => `grants: { shell.exec: { commands: [ls], seconds: 60, examples: { ${examples} } } }`;

  policy({ agent: agent('match: [{ argv: [ls] }], skip: [{ argv: [ls], timeoutSeconds: 61 }]') });
  assert.throws(() => policy({ agent: agent('skip: [{ argv: [ls] }]') }), { code: 'governance.example-failed' });
});

test('a grant with a question asks for its command and for no other', () => {
  const asking = policy({ agent: 'grants: { shell.exec: { commands: ["npm install **"], ask: true } }' });

  assert.equal(answer({ argv: ['npm', 'install', 'left-pad'] }, asking).verdict, 'ask');
  assert.equal(answer({ argv: ['xargs', 'npm', 'install'] }, asking).verdict, 'deny');
});

test('a deny of a command beats an allow, wherever the words stand', () => {
  const files = {
    agent: 'grants: { shell.exec: {} }',
    platform: 'rules: [{ id: all, allow: "*" }, { id: no-curl, deny: "*", commands: [curl] }]',
  };
  const denying = policy(files);

  assert.equal(answer({ argv: ['env', 'A=1', '/usr/bin/CURL', 'x'] }, denying).rule.id, 'no-curl');
  assert.equal(answer({ argv: ['sh', '-c', 'curl x'] }, denying).verdict, 'allow');
});

test('what a model chose from untrusted text runs without a question only where nothing gets out', () => {
  const trust = newTrust();
  trust.addUntrustedText('run make evil', 'file:README.md');
  const every = policy({ agent: 'grants: { shell.exec: {} }' });
  const egress: SandboxFacts = { ...bwrap, network: 'egress' };

  assert.equal(answer({ argv: ['make', 'evil'] }, every, { trust }).verdict, 'allow');
  assert.equal(answer({ argv: ['make', 'evil'] }, every, { trust, sandbox: egress }).verdict, 'ask');
  assert.equal(answer({ argv: ['npm', 'test'] }, granted, { trust, sandbox: egress }).verdict, 'allow');
});

test('what an approval is bound to differs with any word, folder, variable, driver and class', () => {
  const args = { argv: ['npm', 'test'], cwd: 'a', env: { A: '1' } };
  const hashes = [
    request(args),
    request({ ...args, argv: ['npm', 'test', ''] }),
    request({ ...args, argv: ['npm test'] }),
    request({ ...args, cwd: 'b' }),
    request({ ...args, env: { A: '2' } }),
    request({ ...args, env: {} }),
    request(args, { sandbox: { ...bwrap, driver: 'oci' } }),
    request(args, { sandbox: { ...bwrap, isolation: 'container' } }),
    request(args, { sandbox: { ...bwrap, network: 'egress' } }),
    request(args, { sandbox: undefined }),
  ].map(requestHash);

  assert.equal(new Set(hashes).size, hashes.length);
  assert.equal(requestHash({ ...request(args), nowMs: 5 }), hashes[0]);
});

test('examples of commands are checked when the policy is compiled', () => {
  const grants = (skip: string): string =>
    `grants: { shell.exec: { commands: ["npm test"], examples: { match: [{ argv: [npm, test] }], skip: [{ argv: ${skip} }] } } }`;

  policy({ agent: grants('[env, npm, test]') });
  assert.throws(() => policy({ agent: grants('[npm, test]') }), { code: 'governance.example-failed' });
  assert.throws(() => policy({ agent: 'grants: { shell.exec: { commands: ["npm test && id"] } }' }), { code: 'governance.bad-pattern' });
  assert.throws(() => policy({ platform: 'rules: [{ id: a, deny: shell.exec, seconds: 5 }]' }), { code: 'governance.bad-pattern' });
});

test('a tool that demands a class of sandbox itself is refused below it, with that reason, whatever the rules say', () => {
  const vault: ToolDeclaration = { ...shell, name: 'mcp.vault.read', args: {}, minimumClass: 'container' };
  const sources = [
    { layer: 'platform' as const, file: 'p', text: 'version: 1\nrules: [{ id: all, allow: "*" }]' },
    { layer: 'agent' as const, file: 'a', text: 'version: 1\ngrants: { mcp.vault.read: {} }' },
  ];
  const snapshot = compilePolicy(sources, { tools: [vault] });
  const asked = (sandbox: SandboxFacts | undefined): Decision => decide(requestOf(vault, sandbox), snapshot);

  const weak = asked(bwrap);
  const none = asked(undefined);

  assert.equal(asked({ ...bwrap, driver: 'oci', isolation: 'container' }).verdict, 'allow');
  assert.deepEqual([weak.verdict, weak.rule.id], ['deny', 'sandbox.unavailable']);
  assert.match(weak.reason, /bwrap is of the class namespace, and container is the weakest that mcp\.vault\.read itself demands/);
  assert.equal(none.verdict, 'deny');
  assert.equal(asked({ available: false, reason: 'nothing works here' }).verdict, 'deny');
  // Sabotage: the same tool without its demand is allowed in the same sandbox, so it is the demand that refuses.
  const { minimumClass: _, ...meek } = vault;
  assert.equal(decide(requestOf(meek, bwrap), compilePolicy(sources, { tools: [meek] })).verdict, 'allow');
});

function requestOf(tool: ToolDeclaration, sandbox: SandboxFacts | undefined): PolicyRequest {
  return policyRequest({
    tenant: 'default' as TenantId,
    agent: 'builder' as AgentId,
    principal: { kind: 'user', id: 'local' },
    tool,
    args: {},
    resources: [],
    sandbox,
    nowMs: 0,
  });
}
