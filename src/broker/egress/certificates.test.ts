import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { createAuthority } from './certificates.ts';

test('a certificate is for its host, signed by the authority, and for nothing else', () => {
  const authority = createAuthority(Date.now());
  const root = new X509Certificate(authority.certificatePem);
  const leaf = new X509Certificate(authority.issue('api.example.org').cert);

  assert.ok(root.ca && root.verify(root.publicKey) && root.checkIssued(root));
  assert.ok(!leaf.ca && leaf.verify(root.publicKey) && leaf.checkIssued(root));
  assert.equal(leaf.checkHost('api.example.org'), 'api.example.org');
  assert.equal(leaf.checkHost('evil.example.org'), undefined);
  assert.deepEqual(leaf.keyUsage, ['1.3.6.1.5.5.7.3.1']);
  assert.ok(leaf.validFromDate.getTime() < Date.now() && leaf.validToDate.getTime() > Date.now() + 86_400_000);
  assert.equal(authority.issue('api.example.org').cert, leaf.toString());
});

test('authorities of two runs share nothing', () => {
  const [one, two] = [createAuthority(Date.now()), createAuthority(Date.now())];
  const leaf = new X509Certificate(one.issue('api.example.org').cert);

  assert.ok(!leaf.verify(new X509Certificate(two.certificatePem).publicKey));
  assert.notEqual(one.issue('api.example.org').key, two.issue('api.example.org').key);
});
