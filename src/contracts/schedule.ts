import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

/** Every schema here is built on its first use: `agent.yaml` names one, and most agents have no schedule. */
const name = (): z.ZodMiniString =>
  z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens'));

/** When a job fires: exactly one of the three. */
export const scheduleTime = whenRead(() =>
  z
    .strictObject({
      /** Five or six fields, or @daily and the like. */
      cron: z.optional(z.string().check(z.maxLength(200))),
      /** IANA time zone of `cron`. Default UTC. */
      timezone: z.optional(z.string().check(z.maxLength(64))),
      /** One time: ISO 8601 with an offset. */
      at: z.optional(z.iso.datetime({ offset: true, error: 'must be a time with its offset, such as 2026-12-24T18:00:00+01:00' })),
      /** An interval: `90s`, `15m`, `6h`, `1d`; at least 1 s. Counted from when the job was made. */
      every: z.optional(z.string().check(z.regex(/^[1-9][0-9]{0,6}[smhd]$/, 'must be a number and s, m, h or d, such as 15m'))),
    })
    .check(
      z.refine(
        ({ cron, at, every }) => [cron, at, every].filter((one) => one !== undefined).length === 1,
        'must have exactly one of cron, at and every',
      ),
      z.refine(({ cron, timezone }) => timezone === undefined || cron !== undefined, 'has a timezone, which only cron can have'),
    ),
);
export type ScheduleTime = z.infer<typeof scheduleTime>;

/** Where the output of a run goes. */
export const notifyTarget = whenRead(() =>
  z.union([
    z.strictObject({
      /** https; or http to a server of this machine that `egress.loopback` names. */
      url: z.string().check(z.regex(/^https?:\/\/[^\s/?#@\\]+([/?][^\s#\\]*)?$/, 'must be a plain https address')),
      /** NAME of the secret that signs the POST. */
      secret: z.string().check(z.regex(/^[A-Z][A-Z0-9_]{0,62}$/, 'must be the NAME of a secret')),
    }),
    z.strictObject({
      /** Below the tenant's artifacts: replaced after each run. */
      file: z
        .string()
        .check(
          z.maxLength(200),
          z.regex(/^(?!.*(^|\/)\.)[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/, 'must be a plain path such as reports/daily.md'),
        ),
    }),
  ]),
);
export type NotifyTarget = z.infer<typeof notifyTarget>;

function scheduleFields() {
  return {
    when: scheduleTime,
    /** What the agent is told. Default: its `task`. */
    message: z.optional(z.string().check(z.minLength(1), z.maxLength(64 * 1024))),
    /** `isolated`: each run in a session of its own (default); `main`: all in the agent's last session. */
    mode: z.optional(z.enum(['isolated', 'main'])),
    /** A project of the tenant and one of its lanes: each run works in the project's repo. Both or neither. */
    project: z.optional(name()),
    lane: z.optional(name()),
    /** Slots that passed while nothing ran: none (default), one run for all of them, or one run each (at most 100). */
    missed: z.optional(z.enum(['skip', 'once', 'all'])),
    /** A run that died with its process: left as it is, or resumed (default). */
    interrupted: z.optional(z.enum(['skip', 'resume'])),
    /** Up to so many seconds later, different for each slot and the same for everyone who computes it. */
    jitterSeconds: z.optional(z.number().check(z.int(), z.nonnegative(), z.maximum(3600))),
    /** Where the output goes: an https URL that gets a signed POST, or a file below the tenant's artifacts. */
    notify: z.optional(notifyTarget),
  };
}

/** What a schedule of an agent (`agent.yaml`, `schedule:`) says. */
export const agentSchedule = whenRead(() => z.strictObject(scheduleFields()));
export type AgentSchedule = z.infer<typeof agentSchedule>;

/** A job of the scheduler, as it is stored, listed and sent (docs/CONTRACTS.md). */
export const scheduleJob = whenRead(() =>
  z.strictObject({
    ...scheduleFields(),
    id: name(),
    tenant: name(),
    agent: name(),
    /** Starts this workflow instead; `agent` is that of its first step, and `message` its input. */
    workflow: z.optional(name()),
    message: z.string().check(z.minLength(1), z.maxLength(64 * 1024)),
    mode: z.enum(['isolated', 'main']),
    /** Null: nowhere. */
    notify: z.nullable(notifyTarget),
  }),
);
export type ScheduleJob = z.infer<typeof scheduleJob>;
