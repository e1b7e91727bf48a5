import type { Approval } from '../contracts/approval.ts';
import type { Principal } from '../contracts/principal.ts';

/**
 * Why somebody may not answer a question where answers need another person than who asked for the run; undefined when
 * they may. The question itself holds who that was, from the moment at which it was asked.
 */
export function refusedApprover(
  { id, request }: Pick<Approval, 'id' | 'request'>,
  by: Pick<Principal, 'id'>,
  settings: { readonly distinctApprover?: boolean | undefined } | undefined,
): string | undefined {
  if (settings?.distinctApprover !== true || request.principal.id !== by.id) return undefined;
  return `Question ${id} is not answered: ${by.id} asked for the run itself, and approvals.distinctApprover of clawhold.yaml wants another person. Have somebody else answer it.`;
}
