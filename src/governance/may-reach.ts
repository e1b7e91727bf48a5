import type { PolicyRequest } from '../contracts/policy.ts';
import { decide } from './decide.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';

/**
 * Whether a call that was allowed for a folder may also show one path beneath it: a search or listing asks for each
 * entry, so that a protected file is not read through its folder. The same decision as if the path had been asked for.
 */
export function mayReach(
  request: PolicyRequest,
  snapshot: PolicySnapshot,
  place: { readonly root: string; readonly path: string },
): boolean {
  const folder = request.resources.find((resource) => resource.kind === 'file');
  if (folder?.kind !== 'file') return false;
  return decide({ ...request, resources: [{ ...folder, ...place }], labels: [] }, snapshot).verdict !== 'deny';
}

/**
 * Whether a call that was allowed for one address may go on to another, where a redirect leads: only what would be
 * allowed by itself, without asking anybody.
 */
export function mayReachHost(
  request: PolicyRequest,
  snapshot: PolicySnapshot,
  hop: { readonly url: string; readonly host: string; readonly port: number; readonly method: string },
): boolean {
  const first = request.resources.find((resource) => resource.kind === 'host');
  if (first?.kind !== 'host') return false;
  const { url, ...place } = hop;
  const args = { ...request.args, [first.argument]: url };
  return decide({ ...request, args, resources: [{ ...first, ...place }], labels: [] }, snapshot).verdict === 'allow';
}
