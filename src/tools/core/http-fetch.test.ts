import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import type { FetchRequest, HttpAnswer, HttpDoor } from '../../broker/client.ts';
import { parseAgentId, parseTenantId } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { Decision } from '../../contracts/policy.ts';
import type { PerformOptions, Tool, ToolResult } from '../../contracts/tool.ts';
import { decide } from '../../governance/decide.ts';
import { newTrust } from '../../governance/labels.ts';
import { mayReachHost } from '../../governance/may-reach.ts';
import { compilePolicy, type PolicySnapshot } from '../../governance/policy-snapshot.ts';
import { policyRequest } from '../../governance/request.ts';
import { openRoots } from '../guard.ts';
import { parseCall } from '../parse-call.ts';
import { resourcesOf } from '../resources.ts';
import { openToolSet } from '../tool-set.ts';

const page: HttpAnswer = {
  ok: true,
  url: 'https://api.test/a',
  status: 200,
  contentType: 'text/html',
  text: 'hello',
  title: 'T',
  bytes: 5,
  isCut: false,
  redirects: [],
};

interface World {
  readonly tool: Tool;
  readonly asked: FetchRequest[];
  perform(args: JsonObject, options?: Partial<PerformOptions>): Promise<ToolResult>;
}

async function open(t: TestContext, answer: HttpAnswer | HttpDoor['fetch'] = page, hasDoor = true): Promise<World> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-fetch-'));
  const roots = await openRoots([{ name: 'workspace', dir, access: 'write' }]);
  t.after(async () => {
    await roots[Symbol.asyncDispose]();
    fs.rmSync(dir, { recursive: true });
  });
  const asked: FetchRequest[] = [];
  const http: HttpDoor = {
    async fetch(request, options) {
      asked.push(request);
      return typeof answer === 'function' ? await answer(request, options) : answer;
    },
  };
  const set = openToolSet({ roots, clock: { now: () => 0 }, hide: (text) => text, ...(hasDoor ? { http } : {}) });
  const parse = (args: JsonObject): JsonObject => {
    const parsed = parseCall(set, { name: 'http.fetch', argumentsText: JSON.stringify(args) });
    assert.ok('args' in parsed, JSON.stringify(parsed));
    return parsed.args;
  };
  const tool = set.get('http.fetch')!;
  return {
    tool,
    asked,
    perform: async (args, options) => await tool.perform(parse(args), { signal: AbortSignal.timeout(1000), ...options }),
  };
}

function policy(tool: Tool, grants: string): PolicySnapshot {
  return compilePolicy([{ layer: 'agent', file: 'agent.yaml', text: `version: 1\ngrants:\n${grants}` }], { tools: [tool] });
}

function decideCall(tool: Tool, snapshot: PolicySnapshot, args: JsonObject, heard = ''): Decision {
  const trust = newTrust();
  trust.addUserText(heard);
  const request = policyRequest({
    tenant: parseTenantId('default'),
    agent: parseAgentId('scout'),
    principal: { kind: 'user', id: 'me' },
    tool,
    args,
    resources: resourcesOf(tool, args, []),
    trust,
    nowMs: 0,
  });
  return decide(request, snapshot);
}

test('without a grant http.fetch is denied, and a listed host is allowed', async (t) => {
  const { tool } = await open(t);
  const listed = policy(tool, '  http.fetch: {hosts: [api.test], methods: [GET]}\n');

  assert.equal(decideCall(tool, policy(tool, '  fs.read: {}\n'), { url: 'https://api.test/a' }).verdict, 'deny');
  assert.equal(decideCall(tool, listed, { url: 'https://api.test/a' }).verdict, 'allow');
  for (const url of ['https://evil.test/', 'https://api.test.evil.test/', 'https://api.test@evil.test/', 'file:///etc/passwd', ''])
    assert.equal(decideCall(tool, listed, { url }).verdict, 'deny', url);
  assert.equal(decideCall(tool, listed, { url: 'https://api.test/a', method: 'POST' }).verdict, 'deny');
});

test('a port that a grant names is the one of the scheme when the address has none', async (t) => {
  const { tool } = await open(t);
  const listed = policy(tool, '  http.fetch: {hosts: ["api.test:443"]}\n');

  assert.equal(decideCall(tool, listed, { url: 'https://api.test/' }).verdict, 'allow');
  assert.equal(decideCall(tool, listed, { url: 'http://api.test/' }).verdict, 'deny');
  assert.equal(decideCall(tool, listed, { url: 'https://api.test:8443/' }).verdict, 'deny');
});

test('a method that the grant lists needs no question, one that nobody named does', async (t) => {
  const { tool } = await open(t);
  const args = { url: 'https://api.test/', method: 'POST' };

  assert.equal(decideCall(tool, policy(tool, '  http.fetch: {hosts: [api.test], methods: [POST]}\n'), args).verdict, 'allow');
  assert.equal(decideCall(tool, policy(tool, '  http.fetch: {hosts: [api.test]}\n'), args).verdict, 'ask');
});

test('headers that nobody named are a question, because they choose', async (t) => {
  const { tool } = await open(t);
  const listed = policy(tool, '  http.fetch: {hosts: [api.test]}\n');
  const args = { url: 'https://api.test/', headers: { 'x-account': 'acme' } };

  assert.equal(decideCall(tool, listed, args).verdict, 'ask');
  assert.equal(decideCall(tool, listed, args, 'use the account acme').verdict, 'allow');
});

test('a redirect goes only where the call itself would have been allowed', async (t) => {
  const hop = { url: 'https://other.test/b', at: { host: 'other.test', port: 443 }, method: 'GET' };
  const { tool, perform } = await open(t, async (_, options) => {
    const fault = options.redirectFault(hop);
    return fault === undefined ? page : { ok: false, code: 'egress.not-granted', reason: fault, mayRetry: false };
  });
  const args = { url: 'https://api.test/a' };
  const reach = (grants: string): NonNullable<PerformOptions['mayReachHost']> => {
    const request = policyRequest({
      tenant: parseTenantId('default'),
      agent: parseAgentId('scout'),
      principal: { kind: 'user', id: 'me' },
      tool,
      args,
      resources: resourcesOf(tool, args, []),
      nowMs: 0,
    });
    return (to) => mayReachHost(request, policy(tool, grants), to);
  };

  assert.equal((await perform(args, { mayReachHost: reach('  http.fetch: {hosts: [api.test]}\n') })).code, 'http.not-granted');
  assert.equal(
    (await perform(args, { mayReachHost: reach('  http.fetch: {hosts: [api.test, other.test], ask: true}\n') })).code,
    'http.not-granted',
  );
  assert.equal((await perform(args)).code, 'http.not-granted');
  assert.equal((await perform(args, { mayReachHost: reach('  http.fetch: {hosts: [api.test, other.test]}\n') })).isError, false);
});

test('what comes back is free text of its address', async (t) => {
  const { tool, perform } = await open(t);

  const result = await perform({ url: 'https://api.test/a' });

  assert.equal(result.text, 'https://api.test/a: 200 text/html, 5 bytes\nTitle: T\n\nhello');
  assert.deepEqual([result.source, tool.structured], ['url:https://api.test/a', []]);
});

test('a body goes with a type, unless one is given', async (t) => {
  const { perform, asked } = await open(t);

  await perform({ url: 'https://api.test/', method: 'POST', body: '{"a":1}' });
  await perform({
    url: 'https://api.test/',
    method: 'POST',
    body: 'a=1',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  });

  assert.deepEqual(
    asked.map((request) => request.headers),
    [{ 'content-type': 'application/json' }, { 'Content-Type': 'application/x-www-form-urlencoded' }],
  );
});

test('each kind of failure has its code', async (t) => {
  const refusal = (code: string, mayRetry: boolean): HttpAnswer => ({ ok: false, code, reason: 'why', mayRetry });
  const cases: readonly (readonly [HttpAnswer, string])[] = [
    [refusal('egress.not-granted', false), 'http.not-granted'],
    [refusal('egress.private-address', false), 'http.refused'],
    [refusal('egress.unreachable', true), 'http.failed'],
    [{ ...page, text: undefined, contentType: 'image/png' }, 'http.not-text'],
  ];
  for (const [answer, code] of cases) assert.equal((await (await open(t, answer)).perform({ url: 'https://api.test/' })).code, code);
  assert.equal((await (await open(t, page, false)).perform({ url: 'https://api.test/' })).code, 'http.not-granted');
});
