import type { TenantId } from './ids.ts';

/**
 * What a principal may do in its tenant:
 * - admin: everything, also tokens; an admin of tenant `default` also works on the platform (tenants, every queue);
 * - operator: starts and stops runs, changes schedules, works on the tenant's queue;
 * - approver: answers approvals, and reads;
 * - submitter: starts runs, and reads;
 * - viewer: reads.
 */
export const roles = ['admin', 'operator', 'approver', 'submitter', 'viewer'] as const;
export type Role = (typeof roles)[number];

/** Who asks. Every door makes one before anything else happens; the tenant is part of it, never a parameter beside it. */
export interface Principal {
  readonly kind: 'user' | 'service' | 'executor';
  /** A token's id, an operating-system user, a schedule's id. */
  readonly id: string;
  readonly tenant: TenantId;
  readonly roles: readonly Role[];
}
