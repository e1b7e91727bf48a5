import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressFault } from './addresses.ts';

const open = [
  '1.1.1.1',
  '93.184.215.14',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '223.255.255.255',
  '192.0.3.1',
  '2606:4700::1111',
  '2a00:1450:4001::1',
  '2001:4860:4860::8888',
];
for (const address of open) {
  test(`${address} is on the public internet`, () => assert.equal(addressFault(address), undefined));
}

const closed = [
  '0.0.0.0',
  '0.1.2.3',
  '10.255.255.255',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.255',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:8.8.8.8',
  '::ffff:0:127.0.0.1',
  '64:ff9b::8.8.8.8',
  '64:ff9b:1::a00:1',
  '100::1',
  '2001::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:a00:1::1',
  '2606:4700::5efe:10.0.0.1',
  '2606:4700::200:5efe:a00:1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
];
for (const address of closed) {
  test(`${address} is refused`, () => assert.notEqual(addressFault(address), undefined));
}

for (const text of [
  '',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0177.0.0.1',
  '1.2.3',
  'example.org',
  '1.2.3.4.5',
  '1.1.1.1\n',
  ' 1.1.1.1',
  '::g',
  '2606:4700::1%1',
]) {
  test(`${JSON.stringify(text)} is no address`, () => assert.match(addressFault(text) ?? '', /not an address/));
}
