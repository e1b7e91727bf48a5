import { EgressError } from '../egress-error.ts';
import { hostPortText, type HostPort } from '../host-name.ts';
import { admitsRequest, grantsFor, notGranted, type EgressGrant } from './allowlist.ts';
import { checkPlainPath, type RequestTarget } from './request-target.ts';
import type { EdgeWorld } from './world.ts';

/** A place that may be reached, with its address pinned. */
export interface Admission {
  readonly at: HostPort;
  readonly addresses: readonly string[];
  readonly grants: readonly EgressGrant[];
  /** A grant of methods or paths, or a secret for this host: each request must be seen. */
  readonly isInspected: boolean;
}

/** Name, grant, address, in this order: a name without a grant is not even looked up. @throws EgressError */
export async function admit(world: Pick<EdgeWorld, 'grants' | 'resolve' | 'placeholders'>, at: HostPort): Promise<Admission> {
  const grants = grantsFor(world.grants, at);
  if (grants.length === 0) throw notGranted(at);
  const hasSecret = world.placeholders.some(({ secret }) => secret.hosts.includes(hostPortText(at)));
  const isOpen = grants.some((grant) => grant.methods === undefined && grant.paths === undefined);
  return { at, grants, addresses: await world.resolve(at), isInspected: hasSecret || !isOpen };
}

/** @throws EgressError when no grant has the method and path. */
export function admitRequest({ at, grants }: Pick<Admission, 'at' | 'grants'>, method: string, target: RequestTarget): void {
  if (method === 'CONNECT' || method === 'TRACE')
    throw new EgressError('egress.not-granted', `The method ${method} is refused, because no grant can hold it. Use another.`);
  if (grants.every((grant) => grant.paths !== undefined)) checkPlainPath(target.path);
  const usable = grants.filter((grant) => grant.paths === undefined || isPlain(target.path));
  if (!admitsRequest(usable, method, target.path)) throw notGranted(at, `${method} of this path at `);
}

function isPlain(path: string): boolean {
  try {
    checkPlainPath(path);
    return true;
  } catch {
    // silent-ok: the answer is no
    return false;
  }
}
