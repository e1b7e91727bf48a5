import net from 'node:net';

/** Why an entry of a list of addresses cannot be used; undefined when it can. */
export function addressListFault(entry: string): string | undefined {
  return parseRange(entry) === undefined
    ? `${JSON.stringify(entry.slice(0, 60))} is neither an address nor a range such as 192.0.2.0/24 or 2001:db8::/32`
    : undefined;
}

/** Whether an address is in one of the ranges. An entry that cannot be read admits nobody. */
export function isAddressIn(ranges: readonly string[], ip: string): boolean {
  const address = plainAddress(ip);
  if (address === undefined) return false;
  const list = new net.BlockList();
  for (const range of ranges.map(parseRange)) if (range !== undefined) list.addSubnet(range.first, range.bits, range.family);
  return list.check(address, net.isIPv4(address) ? 'ipv4' : 'ipv6');
}

/** A listener on `::` shows IPv4 callers as `::ffff:192.0.2.1`. */
function plainAddress(ip: string): string | undefined {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(ip)?.[1] ?? ip;
  return net.isIP(mapped) === 0 || mapped.includes('%') ? undefined : mapped;
}

interface Range {
  readonly first: string;
  readonly bits: number;
  readonly family: 'ipv4' | 'ipv6';
}

function parseRange(text: string): Range | undefined {
  const [, first = '', bitsText] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const kind = first.includes('%') ? 0 : net.isIP(first);
  const max = kind === 4 ? 32 : 128;
  const bits = bitsText === undefined ? max : Number(bitsText);
  if (kind === 0 || bits > max) return undefined;
  return { first, bits, family: kind === 4 ? 'ipv4' : 'ipv6' };
}
