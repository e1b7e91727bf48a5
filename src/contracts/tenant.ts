import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

const count = z.number().check(z.int(), z.nonnegative());

/** Upper bounds of one tenant. Absent: no bound of its own; the machine's still hold. */
export const quotas = whenRead(() =>
  z.strictObject({
    /** Runs that executors work on at the same time. */
    concurrentRuns: z.optional(count),
    /** Tasks that wait or are scheduled. */
    queuedTasks: z.optional(count),
    /** Sandboxes at the same time. */
    sandboxes: z.optional(count),
    /** Summed over its sandboxes: cores. */
    sandboxCpu: z.optional(z.number().check(z.nonnegative())),
    /** Summed over its sandboxes: mebibytes. */
    sandboxMemoryMb: z.optional(count),
    /** Runs, artifacts, objects and ledger on the disk: mebibytes. */
    storageMb: z.optional(count),
    /** Requests to the gateway. */
    requestsPerMinute: z.optional(count),
    /** Jobs of the scheduler. Default 200. */
    schedules: z.optional(count),
    /** Spent on models in one UTC day. Default 20. */
    usdPerDay: z.optional(z.number().check(z.nonnegative())),
  }),
);
export type Quotas = z.infer<typeof quotas>;
export type QuotaName = keyof Quotas;

/** `tenants/<tenant>/tenant.yaml`. Tenant `default` needs none. */
export const tenantConfig = whenRead(() =>
  z.strictObject({
    version: z.literal(1),
    /** For people. */
    title: z.optional(z.string().check(z.maxLength(200))),
    /** A suspended tenant starts nothing; what it has is kept. Default active. */
    state: z.optional(z.enum(['active', 'suspended'])),
    quotas: z.optional(quotas),
    /** Over `concurrentRuns`: refuse at the door (default), or wait in the queue up to `queuedTasks`. */
    overQuota: z.optional(z.enum(['reject', 'queue'])),
    /** Its share of executors beside other tenants: 2 is served twice as often as 1. Default 1. */
    weight: z.optional(z.number().check(z.int(), z.positive(), z.maximum(100))),
  }),
);
export type TenantConfig = z.infer<typeof tenantConfig>;

export const defaultUsdPerDay = 20;
export const defaultSchedules = 200;
