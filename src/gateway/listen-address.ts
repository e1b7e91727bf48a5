import { BlockList, isIP } from 'node:net';
import { FixRequestError } from '../contracts/errors.ts';

/**
 * The address to listen on, if the invariant on listeners allows it: loopback, or the private overlay in 100.64.0.0/10.
 * Names are not looked up: what a name means can change after the check. `localhost` is 127.0.0.1.
 * @throws FixRequestError for every other address.
 */
export function listenAddress(host: string | undefined): string {
  const address = host === undefined || host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1');
  if (isPrivateListener(address)) return address;
  throw new FixRequestError(
    'gateway.public-address',
    `The gateway does not listen on ${JSON.stringify(address)}: only 127.0.0.0/8, ::1 and 100.64.0.0/10 are allowed, for anywhere else TLS and profile "cluster" with an explicit opt-in are needed, and this version has neither. Set serve.host to 127.0.0.1, and put a proxy with TLS before it.`,
  );
}

export function isPrivateListener(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const allowed = new BlockList();
  allowed.addSubnet('127.0.0.0', 8, 'ipv4');
  allowed.addSubnet('100.64.0.0', 10, 'ipv4');
  allowed.addAddress('::1', 'ipv6');
  // An IPv4 address in IPv6's clothes would be one more spelling; nobody needs it.
  return family === 4 ? allowed.check(address, 'ipv4') : !address.includes('.') && allowed.check(address, 'ipv6');
}
