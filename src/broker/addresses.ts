import net from 'node:net';

type Range = readonly [first: string, bits: number];

/** Not the public internet. Source: IANA special-purpose registry; 168.63.129.16 is a cloud's host service. */
const closedV4: readonly Range[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];
/** Within 2000::/3, which alone is open: special purposes, documentation, and 6to4, which wraps an IPv4 address. */
const closedV6: readonly Range[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

/** Why nothing may be sent to an address; undefined when it is a public one. Anything that is no plain address is refused. */
export function addressFault(address: string): string | undefined {
  const kind = net.isIP(address);
  if (kind === 4) return isPublicV4(v4Number(address)) ? undefined : `${address} is not on the public internet`;
  if (kind !== 6 || address.includes('%')) return `${JSON.stringify(address.slice(0, 80))} is not an address`;
  return isPublicV6(v6Number(address)) ? undefined : `${address} is not on the public internet`;
}

export function isLoopback(address: string): boolean {
  return address === '::1' || (net.isIPv4(address) && address.startsWith('127.'));
}

function isPublicV4(value: number): boolean {
  return closedV4.every(([first, bits]) => Math.floor(value / 2 ** (32 - bits)) !== Math.floor(v4Number(first) / 2 ** (32 - bits)));
}

function isPublicV6(value: bigint): boolean {
  if (value >> 125n !== 1n) return false;
  // ISATAP carries an IPv4 address behind 0:5efe or 200:5efe.
  if (((value >> 32n) & 0xfd_ff_ff_ffn) === 0x5efen) return false;
  return closedV6.every(([first, bits]) => value >> BigInt(128 - bits) !== v6Number(first) >> BigInt(128 - bits));
}

function v4Number(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function v6Number(address: string): bigint {
  const tail = /[^:]*\.[^:]*$/.exec(address)?.[0];
  const plain = tail === undefined ? address : address.slice(0, -tail.length) + v4Groups(tail);
  const [head = '', rest] = plain.split('::'); // sast-ok: splits an address, opens nothing
  const left = head === '' ? [] : head.split(':');
  const right = rest === undefined || rest === '' ? [] : rest.split(':');
  const groups = rest === undefined ? left : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function v4Groups(address: string): string {
  const value = v4Number(address);
  return `${Math.floor(value / 65_536).toString(16)}:${(value % 65_536).toString(16)}`;
}
