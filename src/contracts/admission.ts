import * as z from 'zod/mini';
import type { AgentId, ApprovalId, RunId, SessionId } from './ids.ts';
import type { QuotaName } from './tenant.ts';
import { runLimits, type RunItem } from './run.ts';

/** What a door asks for: who asks is the principal beside it. */
export interface RunRequest {
  readonly agent: AgentId;
  readonly input: string;
  readonly untrusted?: RunItem['untrusted'];
  readonly door: RunItem['door'];
  /** Absent: a new session. */
  readonly session?: SessionId;
  readonly model?: string;
  /** A project of the tenant's registry and one of its lanes: both or neither. The run works in the project's repo. */
  readonly project?: string;
  readonly lane?: string;
  readonly limits?: RunItem['limits'];
  /** The same key of the same tenant gives the same run. Absent: a key of its own. */
  readonly idempotencyKey?: string;
  readonly priority?: number;
  readonly notBeforeMs?: number;
  readonly traceparent?: string;
}

/** The answer of the one entry to the queue. */
export type Admission =
  | {
      readonly outcome: 'admitted';
      readonly run: RunId;
      readonly session: SessionId;
      /** False: the idempotency key was known, nothing was put. */
      readonly isNew: boolean;
    }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string; readonly quota?: QuotaUse };

export interface QuotaUse {
  readonly name: QuotaName;
  readonly limit: number;
  readonly used: number;
}

const id = (prefix: string): z.ZodMiniString => z.string().check(z.regex(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`)));
const name = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/));
const principal = z.strictObject({ kind: z.enum(['user', 'service', 'executor']), id: z.string() });
const sha = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** The payload of a task on the queue: a run to start, or one to continue. Its tenant must be that of the message. */
export const taskPayload = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('start'),
    item: z.strictObject({
      kind: z.literal('agent'),
      runId: id('run'),
      sessionId: id('ses'),
      tenant: name,
      agent: name,
      door: z.enum(['cli', 'http', 'cron', 'chat', 'loop', 'swarm']),
      principal,
      input: z.string(),
      untrusted: z.optional(z.array(z.strictObject({ source: z.string(), text: z.string() }))),
      model: z.optional(z.string()),
      workspace: z.optional(z.string()),
      project: z.optional(name),
      lane: z.optional(name),
      limits: z.optional(z.partial(runLimits)),
    }),
    /** Hash of what was asked for: the same idempotency key with another is a mistake. */
    request: sha,
    /** Hash of the policy that was seen when the run was admitted; the run compiles the current one. */
    policy: sha,
    /** When it was to become ready, if later than it was put. */
    notBeforeMs: z.optional(z.number()),
  }),
  z.strictObject({
    kind: z.literal('resume'),
    run: id('run'),
    tenant: name,
    /** Absent: a human resumed it without an answer. */
    approval: z.optional(id('apr')),
    principal,
  }),
]);
export type TaskPayload =
  | {
      readonly kind: 'start';
      readonly item: RunItem;
      readonly request: string;
      readonly policy: string;
      readonly notBeforeMs?: number;
    }
  | {
      readonly kind: 'resume';
      readonly run: RunId;
      readonly tenant: RunItem['tenant'];
      readonly approval?: ApprovalId;
      readonly principal: RunItem['principal'];
    };
