import * as z from 'zod/mini';
import type { Database } from './database.ts';

/** Of a known call `run` is there once it was admitted. */
export type TakenCall =
  | { readonly outcome: 'new' }
  | { readonly outcome: 'known'; readonly run?: string }
  | { readonly outcome: 'too-many' };

/**
 * Calls of webhooks whose signature was right.
 *
 * Contract: a call of a hook is new once, in any number of processes and after any restart; of one hook at most
 * `perMinute` new ones are taken in any minute; both hold when the method returns.
 */
export interface WebhookCalls {
  take(call: { readonly hook: string; readonly call: string; readonly nowMs: number; readonly perMinute: number }): TakenCall;
  admitted(hook: string, call: string, run: string): void;
  /** Forgets calls of a hook whose signature is too old to be used again. */
  forget(hook: string, beforeMs: number): void;
}

const shape = z.object({ run: z.nullable(z.string()) });

export function openWebhookCalls(database: Database): WebhookCalls {
  return {
    take: ({ hook, call, nowMs, perMinute }) =>
      database.transact((): TakenCall => {
        const known = database.get('SELECT run FROM webhook_calls WHERE hook = ? AND call = ?', hook, call);
        if (known !== undefined) {
          const { run } = shape.parse(known);
          return { outcome: 'known', ...(run === null ? {} : { run }) };
        }
        const since = database.get('SELECT count(*) AS n FROM webhook_calls WHERE hook = ? AND at_ms > ?', hook, nowMs - 60_000);
        if ((since as { n: number }).n >= perMinute) return { outcome: 'too-many' };
        database.run('INSERT INTO webhook_calls (hook, call, at_ms) VALUES (?, ?, ?)', hook, call, nowMs);
        return { outcome: 'new' };
      }),
    admitted: (hook, call, run) => void database.run('UPDATE webhook_calls SET run = ? WHERE hook = ? AND call = ?', run, hook, call),
    forget: (hook, beforeMs) => void database.run('DELETE FROM webhook_calls WHERE hook = ? AND at_ms < ?', hook, beforeMs),
  };
}
