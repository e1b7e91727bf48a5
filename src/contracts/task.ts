import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import type { TaskId } from './ids.ts';
import { isJsonValue, type JsonValue } from './json.ts';

/** A name in a queue message: becomes a subject or a key of later drivers, so it has no separators or wildcards. */
const name = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens'));

/**
 * One unit of work on the queue, as it is stored and sent. Names are the wire's: this is the documented message.
 *
 * `payload` is opaque to the queue. One `idempotency_key` of one tenant has one effect: a second message with the same
 * key is not put, and the first one's id is answered.
 */
export const taskMessage = z.strictObject({
  tenant_id: name,
  /** Groups the tasks of one request; a single run is a swarm of one. */
  swarm_id: z.string().check(z.minLength(1), z.maxLength(128)),
  /** Which executors take it. */
  agent_type: name,
  shard_id: z.number().check(z.int(), z.nonnegative(), z.maximum(65_535)),
  task_id: z.string().check(z.regex(/^tsk_[0-9a-hjkmnp-tv-z]{26}$/, 'must be tsk_ and 26 letters or digits')),
  /** Checked by hand: a schema of all JSON tries every kind at every value, which is most of what putting a task costs. */
  payload: z.custom<JsonValue>(isJsonValue, 'must be JSON'),
  idempotency_key: z.string().check(z.minLength(1), z.maxLength(256)),
  /** W3C trace context of the request that made it, so that one trace runs through every process. */
  traceparent: z.optional(z.string().check(z.regex(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/))),
});
export type TaskMessage = z.infer<typeof taskMessage>;

/** The agent type of tasks that no routing rule names. */
export const defaultAgentType = 'agent';

/** The shard of a key (an agent's or session's id) among `shards`: stable between processes and machines. */
export function shardOf(key: string, shards: number): number {
  return shards === 1 ? 0 : createHash('sha256').update(key).digest().readUInt32BE(0) % shards;
}

/** A run's task has the run's own letters, so that each is found from the other. */
export function taskIdOf(run: string): TaskId {
  return `tsk_${run.slice(4)}` as TaskId;
}
