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
