import { reasonOf } from '../../contracts/errors.ts';
import { addressFault, isLoopback } from '../addresses.ts';
import { EgressError } from '../egress-error.ts';
import { hostPortText, type HostPort } from '../host-name.ts';

/** All addresses of a name. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export interface ResolverOptions {
  readonly lookup: Lookup;
  /** `host:port` that may resolve to this machine. Without it a name that does is refused. */
  readonly allowLoopback: readonly string[];
  readonly lookupMs: number;
}

/**
 * Addresses of a name, asked for once: what was checked is what is connected to, whatever the name says later.
 *
 * Contract: one address that is not public refuses the whole answer.
 */
export type Resolver = (target: HostPort) => Promise<readonly string[]>;

export const systemLookup: Lookup = async (host) => {
  const found = await process.getBuiltinModule('node:dns').promises.lookup(host, { all: true });
  return found.map((each) => each.address);
};

export function createResolver(options: ResolverOptions): Resolver {
  const pinned = new Map<string, Promise<readonly string[]>>();
  return async (target) => {
    let addresses = pinned.get(target.host);
    if (addresses === undefined) {
      addresses = lookUp(options, target.host);
      pinned.set(target.host, addresses);
      // A name that could not be looked up may be tried again.
      addresses.catch(() => pinned.delete(target.host));
    }
    return check(options, target, await addresses);
  };
}

async function lookUp({ lookup, lookupMs }: ResolverOptions, host: string): Promise<readonly string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${lookupMs} ms`)), lookupMs);
  });
  try {
    const addresses = await Promise.race([lookup(host), late]);
    if (addresses.length === 0) throw new Error('it has no address');
    return addresses;
  } catch (error) {
    throw new EgressError('egress.no-such-host', `${host} could not be looked up: ${reasonOf(error)}. Check the name, or try again.`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

function check(options: ResolverOptions, target: HostPort, addresses: readonly string[]): readonly string[] {
  const mayLoopback = options.allowLoopback.includes(hostPortText(target));
  for (const address of addresses) {
    const fault = mayLoopback && isLoopback(address) ? undefined : addressFault(address);
    if (fault !== undefined) {
      throw new EgressError(
        'egress.private-address',
        `${target.host} is refused, because ${fault}. Nothing reaches such addresses, whatever name they have.`,
      );
    }
  }
  return addresses;
}
