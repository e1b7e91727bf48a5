import fs from 'node:fs';
import net, { type Socket } from 'node:net';
import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import type { Edge } from './edge.ts';
import { recordRefusal } from './egress/passage.ts';
import { serveHttp } from './egress/serve-http.ts';
import { serveConnect } from './egress/tunnel.ts';
import type { EdgeWorld } from './egress/world.ts';
import { Wire } from './http1/wire.ts';

export interface EgressProxyOptions {
  /** A folder that does not exist yet; its parent may be entered by the owner. The socket lies in it as `proxy.sock`. */
  readonly dir: string;
  /** The user that commands run as, when it is not this process's own. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface EgressProxy extends AsyncDisposable {
  /** To be mounted into the sandbox, read-only. */
  readonly socketDir: string;
  readonly socketPath: string;
}

/** The length of a socket's path is limited by the kernel. */
const maxSocketPath = 100;

/**
 * Opens the one way out of a sandbox: an HTTP proxy on a unix socket.
 *
 * Contract: only the owner can reach it; nothing goes through that no grant names; after disposal nothing is open, the
 * socket is gone, and everything that left is recorded with its end.
 */
export async function startEgressProxy(edge: Edge, options: EgressProxyOptions): Promise<EgressProxy> {
  const { world } = edge;
  const socketPath = makeSocketFolder(options);
  const open = new Map<Socket, Promise<void>>();
  const sockets = new Set<Socket>();
  let refusals = 0;
  const accept = (socket: Socket): void => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (open.size >= world.limits.connections || refusals >= world.limits.refusals) {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 429 Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n', () => socket.destroy());
      refusals += 1;
      if (refusals <= world.limits.refusals) void recordRefusal(world, undefined, 'egress.too-many');
      return;
    }
    const counting: EdgeWorld = { ...world, ledger: countRefusals(world, () => (refusals += 1)) };
    open.set(
      socket,
      serve(counting, socket).finally(() => open.delete(socket)),
    );
  };
  const server = net.createServer({ allowHalfOpen: true }, accept); // sast-ok: a unix socket in a folder of its owner's
  // Beyond it connections are dropped unanswered, so that a client cannot use up this process's descriptors.
  server.maxConnections = world.limits.connections * 2;
  await listen(server, socketPath, options);
  return {
    socketDir: options.dir,
    socketPath,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const pending = [...open.values()];
      for (const socket of sockets) socket.destroy();
      await Promise.all([closed, ...pending]);
      fs.rmSync(options.dir, { recursive: true, force: true });
    },
  };
}

async function serve(world: EdgeWorld, socket: Socket): Promise<void> {
  using client = new Wire(socket, world.limits.idleMs);
  const { totalMs } = world.limits;
  await client
    .within(totalMs, `The connection was open for ${totalMs} ms.`, async () => {
      await serveHttp(world, client, { kind: 'proxy', connect: async (head) => await serveConnect(world, client, head) });
    })
    // silent-ok: what left is recorded, and nobody is there to be told.
    .catch(() => undefined);
}

function countRefusals(world: EdgeWorld, refused: () => void): EdgeWorld['ledger'] {
  return {
    async append(event) {
      if (event.type === 'egress.close' && event.bytesUp === 0 && event.outcome !== 'done') refused();
      return await world.ledger.append(event);
    },
  };
}

function makeSocketFolder({ dir, owner }: EgressProxyOptions): string {
  const socketPath = path.join(dir, 'proxy.sock');
  if (Buffer.byteLength(socketPath) > maxSocketPath) {
    const message = `The proxy's socket ${socketPath} cannot be made, because its path is longer than ${maxSocketPath} bytes. Choose a shorter folder.`;
    throw new FixRequestError('broker.socket-path', message);
  }
  fs.mkdirSync(dir, { mode: 0o700 });
  if (owner !== undefined) fs.chownSync(dir, owner.uid, owner.gid);
  return socketPath;
}

async function listen(server: net.Server, socketPath: string, { owner }: EgressProxyOptions): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, resolve);
  });
  fs.chmodSync(socketPath, 0o600);
  if (owner !== undefined) fs.chownSync(socketPath, owner.uid, owner.gid);
}
