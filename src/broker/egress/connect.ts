import net, { type Socket } from 'node:net';
import { reasonOf } from '../../contracts/errors.ts';
import { EgressError } from '../egress-error.ts';
import { Wire } from '../http1/wire.ts';
import type { Admission } from './admit.ts';
import type { EdgeWorld } from './world.ts';

type ConnectWorld = Pick<EdgeWorld, 'limits' | 'trusted'>;

const maxAddresses = 3;

/** Connects to one of the checked addresses, never to a name. @throws EgressError `egress.unreachable` */
export async function connectTo(world: ConnectWorld, { at, addresses }: Pick<Admission, 'at' | 'addresses'>): Promise<Socket> {
  let last: unknown;
  for (const address of addresses.slice(0, maxAddresses)) {
    try {
      return await connectOnce(address, at.port, world.limits.connectMs);
    } catch (error) {
      last = error;
    }
  }
  throw new EgressError('egress.unreachable', `${at.host}:${at.port} cannot be reached: ${reasonOf(last)}. Try again later.`, {
    cause: last,
  });
}

/** The same with TLS inside, its certificate checked for the name. */
export async function connectSecurely(world: ConnectWorld, admission: Pick<Admission, 'at' | 'addresses'>): Promise<Socket> {
  const socket = await connectTo(world, admission);
  const tls = process.getBuiltinModule('node:tls');
  const { host } = admission.at;
  const secureContext = world.trusted();
  const trust = secureContext === undefined ? { minVersion: 'TLSv1.2' as const } : { secureContext };
  const secured = tls.connect({ socket, servername: host, ALPNProtocols: ['http/1.1'], ...trust });
  try {
    await settled(secured, 'secureConnect', world.limits.connectMs);
  } catch (error) {
    secured.destroy();
    throw new EgressError(
      'egress.unreachable',
      `${host} could not prove who it is: ${reasonOf(error)}. Check the host and its certificate.`,
      {
        cause: error,
      },
    );
  }
  return secured;
}

export function wireOf(socket: Socket, { limits }: Pick<EdgeWorld, 'limits'>): Wire {
  return new Wire(socket, limits.idleMs);
}

async function connectOnce(address: string, port: number, ms: number): Promise<Socket> {
  const socket = net.connect({ host: address, port, noDelay: true, allowHalfOpen: true });
  try {
    await settled(socket, 'connect', ms);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

async function settled(socket: Socket, event: string, ms: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer in ${ms} ms`)), ms);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once(event, () => {
      socket.off('error', reject);
      resolve();
    });
    socket.once('close', () => clearTimeout(timer));
    socket.once(event, () => clearTimeout(timer));
  });
}
