import * as z from 'zod/mini';
import { takesAsIs, type Check } from './takes-as-is.ts';

/**
 * The ledger of a tenant: what happened, hash-chained, in single-writer streams. It holds hashes of payloads, not
 * payloads, so that pruning and legal erasure leave it valid.
 *
 * A stored line is one JSON object with exactly this frame (`governance/ledger.ts` writes and checks it):
 * `{"seq":N,"prev":"<64 hex>", …event… ,"hash":"<64 hex>"}`.
 */
const sha = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const text = z.string();
const count = z.number().check(z.int(), z.nonnegative());

type Made<T> = T extends () => infer S ? S : never;

/** An object whose properties are made on first use. */
function lazily<T extends Readonly<Record<string, () => unknown>>>(makers: T): { readonly [K in keyof T]: Made<T[K]> } {
  const made: Record<string, unknown> = {};
  for (const [name, make] of Object.entries(makers)) {
    Object.defineProperty(made, name, {
      enumerable: true,
      configurable: true,
      get: () => {
        const value = make();
        Object.defineProperty(made, name, { enumerable: true, value });
        return value;
      },
    });
  }
  return made as { readonly [K in keyof T]: Made<T[K]> };
}

const frame = {
  /** ISO 8601, UTC, milliseconds. */
  at: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)),
};
/** Events inside a run name it; those of the tenant as a whole do not. */
const inRun = { ...frame, run: text, session: text, agent: text };
const ruleRef = z.strictObject({
  layer: z.enum(['platform', 'tenant', 'agent', 'invariant', 'flow']),
  id: text,
  file: text,
  line: count,
});
/** Who asks the broker for a tool's credential. */
const credential = { tenant: text, executor: text, tool: text };
const principal = z.strictObject({ kind: z.enum(['user', 'service', 'executor']), id: text });

/** By type. A schema is built when it is first used: all of them cost 8 ms, and a command writes few kinds. */
export const ledgerEvents = lazily({
  'run.start': () =>
    z.strictObject({
      type: z.literal('run.start'),
      ...inRun,
      principal,
      door: text,
      inputHash: sha,
      pinned: sha,
      model: text,
      project: z.optional(text),
      lane: z.optional(text),
    }),
  'run.resumed': () =>
    z.strictObject({
      type: z.literal('run.resumed'),
      ...inRun,
      principal,
      from: text,
      build: text,
      /** Of a run that is worked on by leases: whoever held it with a smaller one is replaced. */
      fence: z.optional(count),
    }),
  'run.end': () =>
    z.strictObject({
      type: z.literal('run.end'),
      ...inRun,
      state: text,
      /** Hash of every file in the bundle, by relative path. */
      files: z.record(z.string(), sha),
      instructions: sha,
    }),
  'model.call': () => z.strictObject({ type: z.literal('model.call'), ...inRun, turn: count, model: text, request: sha }),
  'model.result': () =>
    z.strictObject({
      type: z.literal('model.result'),
      ...inRun,
      turn: count,
      request: sha,
      answer: z.optional(sha),
      error: z.optional(text),
      inputTokens: z.optional(count),
      outputTokens: z.optional(count),
      costMicroUsd: z.optional(count),
    }),
  'tool.decision': () =>
    z.strictObject({
      type: z.literal('tool.decision'),
      ...inRun,
      call: text,
      tool: text,
      /** Hash of the canonical request; its text is in the run's journal. */
      request: sha,
      verdict: z.enum(['allow', 'ask', 'deny']),
      rule: ruleRef,
      /** Hash of the policy that decided, and of the one pinned at the run's start. */
      policy: sha,
      pinnedPolicy: sha,
    }),
  'tool.intent': () =>
    z.strictObject({
      type: z.literal('tool.intent'),
      ...inRun,
      call: text,
      tool: text,
      request: sha,
      target: z.optional(text),
      before: z.optional(sha),
      after: z.optional(sha),
    }),
  'tool.result': () =>
    z.strictObject({
      type: z.literal('tool.result'),
      ...inRun,
      call: text,
      tool: text,
      isError: z.boolean(),
      code: z.optional(text),
      result: sha,
    }),
  'policy.denied': () =>
    z.strictObject({
      type: z.literal('policy.denied'),
      ...inRun,
      call: text,
      tool: text,
      request: sha,
      rule: ruleRef,
      reason: text,
    }),
  'approval.requested': () =>
    z.strictObject({
      type: z.literal('approval.requested'),
      ...inRun,
      call: text,
      approval: text,
      request: sha,
      target: z.optional(sha),
      expires: text,
    }),
  'approval.answered': () =>
    z.strictObject({
      type: z.literal('approval.answered'),
      ...inRun,
      approval: text,
      request: sha,
      answer: z.enum(['approved', 'denied', 'expired']),
      by: principal,
    }),
  /** Before anything of a connection or request leaves; a refused one has no such record. */
  'egress.open': () =>
    z.strictObject({
      type: z.literal('egress.open'),
      ...inRun,
      connection: text,
      mode: z.enum(['tunnel', 'http', 'inspected', 'fetch']),
      host: text,
      port: count,
      /** The addresses that were checked: the first that answers is connected to. */
      addresses: z.array(text),
      method: z.optional(text),
      /** Hash of path and query as they were asked for. */
      target: z.optional(sha),
      /** Names of the secrets that were put in. */
      secrets: z.array(text),
    }),
  'egress.close': () =>
    z.strictObject({
      type: z.literal('egress.close'),
      ...inRun,
      connection: text,
      host: text,
      port: count,
      /** `done`, or the code of what ended or refused it. */
      outcome: text,
      status: z.optional(count),
      bytesUp: count,
      bytesDown: count,
      durationMs: count,
    }),
  'broker.request': () => z.strictObject({ type: z.literal('broker.request'), ...inRun, ...credential, lease: text }),
  'broker.grant': () =>
    z.strictObject({
      type: z.literal('broker.grant'),
      ...inRun,
      ...credential,
      grant: text,
      hosts: z.array(text),
      expires: text,
      policy: sha,
      risk: z.optional(text),
    }),
  'broker.denial': () => z.strictObject({ type: z.literal('broker.denial'), ...inRun, ...credential, grant: z.optional(text), code: text }),
  'broker.use': () => z.strictObject({ type: z.literal('broker.use'), ...inRun, ...credential, grant: text, host: text }),
  'broker.revoke': () => z.strictObject({ type: z.literal('broker.revoke'), ...frame, tenant: text, grants: z.array(text), reason: text }),
  'artifact.write': () => z.strictObject({ type: z.literal('artifact.write'), ...inRun, path: text, sha256: sha, bytes: count }),
  'config.change': () =>
    z.strictObject({
      type: z.literal('config.change'),
      ...frame,
      principal,
      file: text,
      before: z.optional(sha),
      after: sha,
    }),
  /** Before a job of the scheduler is made, changed or removed. */
  'schedule.change': () =>
    z.strictObject({
      type: z.literal('schedule.change'),
      ...frame,
      principal,
      job: text,
      change: z.enum(['added', 'changed', 'removed', 'paused', 'resumed']),
      /** Hash of its definition. */
      definition: z.optional(sha),
      reason: z.optional(text),
    }),
  /** Before a person pauses or resumes a queue, puts dead tasks back, or takes tasks out. */
  'queue.change': () =>
    z.strictObject({
      type: z.literal('queue.change'),
      ...frame,
      principal,
      change: z.enum(['paused', 'resumed', 'requeued', 'removed']),
      /** Whose queue; absent: everybody's. */
      tenant: z.optional(text),
      agentType: z.optional(text),
      /** Absent: all in the state. */
      task: z.optional(text),
      state: z.optional(text),
    }),
  /** Before a run is asked for; the run's own start names `schedule:<job>` as its principal. */
  'schedule.fired': () =>
    z.strictObject({ type: z.literal('schedule.fired'), ...frame, job: text, agent: text, slot: text, isManual: z.boolean() }),
  /** Before the first run of a workflow is asked for. */
  'workflow.start': () =>
    z.strictObject({ type: z.literal('workflow.start'), ...frame, principal, workflow: text, passage: text, definition: sha }),
  'webhook.accepted': () =>
    z.strictObject({ type: z.literal('webhook.accepted'), ...frame, hook: text, starts: text, address: text, call: sha }),
  /** `unrecorded`: as many before it were refused too, and not written one by one. */
  'webhook.refused': () =>
    z.strictObject({ type: z.literal('webhook.refused'), ...frame, hook: text, address: text, reason: text, unrecorded: count }),
  checkpoint: () =>
    z.strictObject({
      type: z.literal('checkpoint'),
      ...frame,
      /** Hash of the signed line in `checkpoints.jsonl`. */
      checkpoint: sha,
    }),
  prune: () => z.strictObject({ type: z.literal('prune'), ...frame, principal, runs: z.array(text), reason: text }),
  /** A torn last line, left by a crash, was cut off before this record. */
  'ledger.recovered': () => z.strictObject({ type: z.literal('ledger.recovered'), ...frame, stream: text, droppedBytes: count }),
});

export type LedgerEventType = keyof typeof ledgerEvents;

/** By type: whether an event is one, for whoever writes many; a no is the schema's to say. */
export const takesLedgerEvent: Readonly<Record<LedgerEventType, Check>> = Object.fromEntries(
  (Object.keys(ledgerEvents) as LedgerEventType[]).map((type) => [type, takesAsIs(() => ledgerEvents[type])]),
) as Record<LedgerEventType, Check>;

export type LedgerEventOf<T extends LedgerEventType> = z.infer<(typeof ledgerEvents)[T]>;
export type LedgerEvent = { [T in LedgerEventType]: LedgerEventOf<T> }[LedgerEventType];

/** Where a record stands. */
export interface LedgerPosition {
  readonly stream: string;
  readonly seq: number;
  readonly hash: string;
}

export interface LedgerWriter {
  /**
   * Contract: resolves when the record is on the disk; records of one writer stand in the order of the calls.
   * @throws when it cannot be made durable: then the effect that it announces must not happen.
   */
  append(event: LedgerEvent): Promise<LedgerPosition>;
}
