import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admitRequest } from './admit.ts';
import { checkGrant, grantsFor, parseEgressGrant } from './allowlist.ts';
import { parseOriginForm } from './request-target.ts';

const at = { host: 'api.test', port: 443 };
const grants = [{ host: 'api.test', port: 443, methods: ['GET', 'POST'], paths: ['/repos/acme/**', '/user', '/files/*.json'] }];

function isAdmitted(method: string, target: string): boolean {
  try {
    admitRequest({ at, grants }, method, parseOriginForm(target));
    return true;
  } catch {
    return false;
  }
}

for (const target of ['/user', '/user?x=1', '/repos/acme/a', '/repos/acme/a/b', '/files/a.json', '/user?path=/../x']) {
  test(`within the granted paths: ${target}`, () => assert.ok(isAdmitted('GET', target)));
}

const outside = [
  '/',
  '/users',
  '/user/',
  '/User',
  '/repos/acme',
  '/repos/acme2/a',
  '/repos/evil/a',
  '/repos/acme/../evil/a',
  '/repos/acme/./a',
  '/repos/acme/..;/evil',
  '/repos/acme/%2e%2e/evil',
  '/repos/acme/.%2e/evil',
  '/repos/acme/%252e%252e/evil',
  '/repos/acme/..%2fevil',
  '/repos/acme/..%5cevil',
  '/repos/acme/..\\evil',
  '/repos/acme//evil',
  '//evil.test/user',
  '/repos/acme/a%00b',
  '/repos/acme/a%0d%0aX:y',
  '/repos/acme/%zz',
  '/repos/acme/a%',
  '/files/a/b.json',
  '/files/a.json.exe',
  '/files/.json/..',
  'user',
  '/user#x',
  '*',
];
for (const target of outside) {
  test(`outside the granted paths: ${target}`, () => assert.ok(!isAdmitted('GET', target)));
}

test('a method that is not granted is refused', () => {
  for (const method of ['DELETE', 'PUT', 'CONNECT', 'TRACE', 'get']) assert.ok(!isAdmitted(method, '/user'));
});

test('a suffix admits subdomains only, and none in punycode', () => {
  const list = [parseEgressGrant('*.example.org')];

  assert.equal(grantsFor(list, { host: 'a.example.org', port: 443 }).length, 1);
  for (const host of ['example.org', 'evilexample.org', 'xn--a.example.org', 'a.xn--b.example.org', 'example.org.evil.test'])
    assert.equal(grantsFor(list, { host, port: 443 }).length, 0, host);
  assert.equal(grantsFor(list, { host: 'a.example.org', port: 80 }).length, 0);
});

for (const text of [
  '*',
  '*.',
  'localhost',
  '127.0.0.1',
  '[::1]',
  'a.b.',
  'http://a.b',
  'a.b/x',
  'a.b:0',
  'a.b:99999',
  '*.*.org',
  'u@a.b',
  'bücher.example',
  '0x7f.1',
]) {
  test(`no grant: ${text}`, () => assert.throws(() => parseEgressGrant(text), { code: 'broker.bad-egress-grant' }));
}

test('a grant with a path or method that would admit more than it says is refused', () => {
  for (const paths of [['x'], ['/a/**/b'], ['/a?b'], ['/ü']]) {
    assert.throws(() => checkGrant({ host: 'a.b', port: 1, paths }), { code: 'broker.bad-egress-grant' }, paths[0]);
  }
  for (const methods of [['get'], ['CONNECT'], ['TRACE'], ['*']]) assert.throws(() => checkGrant({ host: 'a.b', port: 1, methods }));
});
