import * as z from 'zod/mini';

/** Built when first used: most commands read no registry. */
function shapes() {
  const name = z
    .string()
    .check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens'));
  const count = z.number().check(z.int(), z.nonnegative());
  const rateLimits = z.strictObject({
    /** Runs that are admitted in any minute. */
    runsPerMinute: z.optional(count),
    /** Runs that are admitted in any hour. */
    runsPerHour: z.optional(count),
  });
  const lanes = z.record(name, z.strictObject({ rateLimits: z.optional(rateLimits) }));
  const tags = z.array(z.string().check(z.regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'must be lower-case letters, digits, dots, hyphens')));
  const common = {
    /** For people. */
    title: z.optional(z.string().check(z.maxLength(200))),
    /** Of each of its lanes; the lowest of all that are named holds. */
    rateLimits: z.optional(rateLimits),
    tags: z.optional(tags),
  };
  return { name, lanes, common };
}

/** `projects.yaml`: which repositories exist for runs, in which lanes, how often, and for which tenants. */
export const platformProjects = z.lazy(() => {
  const { name, lanes, common } = shapes();
  return z.strictObject({
    version: z.literal(1),
    projects: z.record(
      name,
      z.strictObject({
        ...common,
        /** Who has it. Default: tenant `default` alone. */
        tenants: z.optional(z.array(name)),
        /** Its folder, where its runs work: relative to the tenant's root. */
        repo: z.string().check(z.minLength(1)),
        /** By name. A lane that is not here is refused. */
        lanes,
      }),
    ),
  });
});
export type PlatformProjects = z.infer<typeof platformProjects>;

/** `tenants/<tenant>/projects.yaml`: which of them the tenant wants, and no more than the platform gives. */
export const tenantProjects = z.lazy(() => {
  const { name, lanes, common } = shapes();
  return z.strictObject({
    version: z.literal(1),
    projects: z.record(
      name,
      z.strictObject({
        ...common,
        /** The same folder, or one beneath it. Absent: the platform's. */
        repo: z.optional(z.string().check(z.minLength(1))),
        /** Absent: all of the platform's. */
        lanes: z.optional(lanes),
      }),
    ),
  });
});
export type TenantProjects = z.infer<typeof tenantProjects>;

export interface RateLimits {
  readonly runsPerMinute?: number;
  readonly runsPerHour?: number;
}

/** One kind of work on a project, with how often it may be asked for. */
export interface Lane {
  readonly lane: string;
  readonly rateLimits: RateLimits;
}

/** A registered unit of one tenant, as platform and tenant together have it. */
export interface Project {
  readonly id: string;
  readonly title: string;
  /** As it is written. */
  readonly repo: string;
  /** Absolute: the workspace of its runs. */
  readonly dir: string;
  /** Absolute: the root of its tenant, from where the repo is looked for. */
  readonly root: string;
  readonly lanes: readonly Lane[];
  readonly tags: readonly string[];
}
