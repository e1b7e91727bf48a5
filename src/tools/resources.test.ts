import assert from 'node:assert/strict';
import test from 'node:test';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { JsonObject } from '../contracts/json.ts';
import type { ToolDeclaration } from '../contracts/tool.ts';
import { decide } from '../governance/decide.ts';
import { compilePolicy } from '../governance/policy-snapshot.ts';
import { policyRequest } from '../governance/request.ts';
import type { RootName } from './path.ts';
import { resourcesOf } from './resources.ts';

const roots: readonly RootName[] = [
  { name: 'workspace', dir: '/srv/ws', access: 'write' },
  { name: 'agent', dir: '/srv/agent', access: 'write', memory: ['notes'] },
  { name: 'repo', dir: '/srv/repo', access: 'read' },
];
const writer = { args: { path: { role: 'destination', kind: 'path', access: 'write' }, content: { role: 'content' } } } as const;
const reader = { args: { path: { role: 'selector', kind: 'path' } } } as const;
const fetcher = { args: { url: { role: 'destination', kind: 'host' } } } as const;

const outsideWrites = [
  '../x',
  '/etc/passwd',
  '.git/config',
  'agent:SOUL.md',
  'agent:RULES.md',
  'agent:SPECPLAN.md',
  'agent:agent.yaml',
  'agent:memory/other',
  'repo:src/a.ts',
  'a\0b',
];
for (const path of outsideWrites) {
  test(`a tool without checks of its own that would write ${JSON.stringify(path)} touches something outside`, () => {
    const [resource] = resourcesOf(writer, { path }, roots);

    assert.equal(resource?.kind, 'outside');
    assert.equal(resource?.kind === 'outside' && resource.raw, path);
  });
}

/** A tool that checks nothing itself: only policy stands between it and the disk. */
const stub: ToolDeclaration = {
  name: 'fs.write',
  summary: 'Writes anywhere.',
  parameters: { type: 'object' },
  effects: ['mutating'],
  structured: [],
  recovery: 'compare-target',
  ...writer,
};

function verdictOn(path: string): string {
  const policy = compilePolicy([
    { layer: 'platform', file: 'policies/platform.yaml', text: 'version: 1\nrules: [{ id: all, allow: "*" }]\n' },
    { layer: 'agent', file: 'agent.yaml', text: 'version: 1\ngrants: { fs.write: {} }\nmemory: [notes]\nroots: { repo: ../repo }\n' },
  ]);
  const args = { path, content: 'x' };
  const request = policyRequest({
    tenant: 'default' as TenantId,
    agent: 'scribe' as AgentId,
    principal: { kind: 'user', id: 'local' },
    tool: stub,
    args,
    resources: resourcesOf(stub, args, roots),
    nowMs: 0,
  });
  return decide(request, policy).verdict;
}

for (const path of outsideWrites) {
  test(`policy denies a stub tool without checks to write ${JSON.stringify(path)}, although everything is granted`, () => {
    assert.equal(verdictOn(path), 'deny');
  });
}

for (const path of ['docs/a.md', 'agent:HANDOFF.md', 'agent:DEVPLAN.md', 'agent:memory/notes', '/srv/ws/docs/a.md']) {
  test(`policy lets the same tool write ${path}`, () => {
    assert.equal(verdictOn(path), 'allow');
  });
}

const cases: readonly { name: string; args: JsonObject; declaration: Parameters<typeof resourcesOf>[0]; want: readonly JsonObject[] }[] = [
  {
    name: 'a write in the workspace is one',
    declaration: writer,
    args: { path: 'docs/a.md', content: 'x' },
    want: [{ kind: 'file', argument: 'path', root: 'workspace', path: 'docs/a.md', access: 'write' }],
  },
  {
    name: 'each path of a list is a resource',
    declaration: reader,
    args: { path: ['a', 'repo:b'] },
    want: [
      { kind: 'file', argument: 'path', root: 'workspace', path: 'a', access: 'read' },
      { kind: 'file', argument: 'path', root: 'repo', path: 'b', access: 'read' },
    ],
  },
  {
    name: 'a path that is left out is the workspace itself',
    declaration: reader,
    args: {},
    want: [{ kind: 'file', argument: 'path', root: 'workspace', path: '.', access: 'read' }],
  },
  {
    name: 'a path that is not text is outside',
    declaration: reader,
    args: { path: { toString: 'a' } },
    want: [{ kind: 'outside', argument: 'path', raw: '{"toString":"a"}', why: 'is not text' }],
  },
  {
    name: 'memory has one spelling',
    declaration: writer,
    args: { path: 'agent:memory/notes' },
    want: [{ kind: 'file', argument: 'path', root: 'agent', path: 'memory/notes.md', access: 'write' }],
  },
  {
    name: 'a URL is a host with port and method',
    declaration: fetcher,
    args: { url: 'https://user@Example.org:8443/x', method: 'post' },
    want: [{ kind: 'host', argument: 'url', host: 'example.org', port: 8443, method: 'POST' }],
  },
  {
    name: 'an address without a host is outside',
    declaration: fetcher,
    args: { url: 'http:///://' },
    want: [{ kind: 'outside', argument: 'url', raw: 'http:///://', why: 'is not a host or URL' }],
  },
];
for (const { name, declaration, args, want } of cases) {
  test(`resources: ${name}`, () => {
    assert.deepEqual(resourcesOf(declaration, args, roots), want);
  });
}
