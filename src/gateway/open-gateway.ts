import { FixRequestError, reasonOf, RetryableError } from '../contracts/errors.ts';
import type { AddressInfo } from 'node:net';
import { allowedHosts, type AllowedHosts } from './http/check-source.ts';
import { buildApp } from './http/build-app.ts';
import type { GatewayContext } from './gateway-context.ts';
import { listenAddress } from './listen-address.ts';
import { routeTable } from './route-table.ts';

export interface Gateway {
  /** @throws FixRequestError when the address is not allowed or taken. */
  listen(): Promise<{ readonly url: string; readonly port: number }>;
  /** Ends streams, answers what is being worked on, and lets go of the port. */
  close(): Promise<void>;
}

export const defaultPort = 8787;
/** How long requests that are being answered may take when the gateway closes. */
const graceMs = 5000;

/**
 * The one HTTP listener.
 *
 * @throws FixRequestError when `serve.host` is an address that nothing may listen on.
 */
export async function openGateway(ctx: GatewayContext): Promise<Gateway> {
  const address = listenAddress(ctx.serve.host);
  const closing = new AbortController();
  let hosts: AllowedHosts = { has: () => false };
  const app = await buildApp(ctx, { routes: routeTable(), hosts: () => hosts, closing: closing.signal });
  return {
    listen: async () => {
      await app.listen({ host: address, port: ctx.serve.port ?? defaultPort, backlog: 511 }).catch((error: unknown) => {
        throw notListening(error, address, ctx.serve.port ?? defaultPort);
      });
      const { port } = app.server.address() as AddressInfo;
      hosts = allowedHosts({ address, port, hosts: ctx.serve.hosts ?? [] });
      return { url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`, port };
    },
    close: async () => {
      closing.abort();
      const force = setTimeout(() => app.server.closeAllConnections(), graceMs);
      await app.close();
      clearTimeout(force);
    },
  };
}

function notListening(error: unknown, address: string, port: number): Error {
  const code = (error as NodeJS.ErrnoException).code;
  const place = `${address}, port ${port}`;
  if (code === 'EADDRINUSE')
    return new FixRequestError(
      'gateway.port-taken',
      `The gateway cannot listen on ${place}, because another program does, perhaps another "clawhold serve". Stop that one, or set serve.port.`,
      { cause: error },
    );
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES')
    return new FixRequestError(
      'gateway.no-such-address',
      `The gateway cannot listen on ${place}: ${reasonOf(error)}. Set serve.host and serve.port to an address of this machine that you may use.`,
      { cause: error },
    );
  return new RetryableError('gateway.not-listening', `The gateway cannot listen on ${place}: ${reasonOf(error)}. Try again.`, {
    cause: error,
  });
}
