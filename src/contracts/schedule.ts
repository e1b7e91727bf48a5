import * as z from 'zod/mini';

const name = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens'));

/** When a job fires: exactly one of the three. */
export const scheduleTime = z
  .strictObject({
    /** Five or six fields, or @daily and the like. */
    cron: z.optional(z.string()),
    /** IANA time zone of `cron`. Default UTC. */
    timezone: z.optional(z.string()),
    /** One time: ISO 8601 with an offset. */
    at: z.optional(z.iso.datetime({ offset: true })),
    /** An interval: `90s`, `15m`, `6h`, `1d`; at least 1 s. Counted from when the job was made. */
    every: z.optional(z.string().check(z.regex(/^[1-9][0-9]{0,6}[smhd]$/, 'must be a number and s, m, h or d, such as 15m'))),
  })
  .check(
    z.refine(
      ({ cron, at, every }) => [cron, at, every].filter((one) => one !== undefined).length === 1,
      'must have exactly one of cron, at and every',
    ),
  );

/** What a schedule of an agent (`agent.yaml`, `schedule:`) says. */
export const agentSchedule = z.strictObject({
  when: scheduleTime,
  /** What the agent is told. Default: its `task`. */
  message: z.optional(z.string()),
  /** `isolated`: each run in a session of its own (default); `main`: all in the agent's last session. */
  mode: z.optional(z.enum(['isolated', 'main'])),
  /** Slots that passed while nothing ran: none (default), one run for all of them, or one run each (at most 100). */
  missed: z.optional(z.enum(['skip', 'once', 'all'])),
  /** A run that died with its process: left as it is, or resumed (default). */
  interrupted: z.optional(z.enum(['skip', 'resume'])),
  /** Up to so many seconds later, different for each slot and the same for everyone who computes it. */
  jitterSeconds: z.optional(z.number().check(z.int(), z.nonnegative(), z.maximum(3600))),
  /** Where the output goes: an https URL (or http on loopback) that gets a signed POST, or a file below the tenant's artifacts. */
  notify: z.optional(z.union([z.strictObject({ url: z.url(), secret: z.optional(z.string()) }), z.strictObject({ file: z.string() })])),
});
export type AgentSchedule = z.infer<typeof agentSchedule>;

/** A job of the scheduler, as it is stored, listed and sent (docs/CONTRACTS.md). */
export const scheduleJob = z.strictObject({
  ...agentSchedule.shape,
  id: name,
  tenant: name,
  agent: name,
  message: z.string().check(z.minLength(1)),
  mode: z.enum(['isolated', 'main']),
  notify: z.nullable(agentSchedule.shape.notify.def.innerType),
});
export type ScheduleJob = z.infer<typeof scheduleJob>;
