import * as z from 'zod/mini';
import type { TenantId } from '../contracts/ids.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { Database } from './database.ts';
import type { InGroup } from './database/group-commit.ts';

/** Whose answer, and to what: nobody else gets it. */
export interface AnswerKey {
  readonly tenant: TenantId;
  readonly principal: string;
  readonly key: string;
}

export interface KeptAnswer {
  /** Of what was asked: the same key with another is a mistake. */
  readonly request: Sha256;
  readonly answer: string;
  readonly keptMs: number;
}

/**
 * Answers that a door gave, so that the same request gets the same one again.
 *
 * Contract: the first answer of a key stays; it survives a crash of the process, but a power loss may undo the last
 * ones, for what they speak of has a record of its own; one older than what is asked for is not given.
 */
export interface KeptAnswers {
  get(key: AnswerKey, sinceMs: number): KeptAnswer | undefined;
  /** Replaces one that is older than `sinceMs`, and no other. */
  put(key: AnswerKey, kept: KeptAnswer, sinceMs: number): void;
  /** What is done and the answer that is kept of it are there together, or neither. */
  together<T>(work: () => T): T;
  /** For `put` by many requests at the same time: those of this turn in one transaction. */
  readonly inGroup: InGroup;
  /** Removes what is older. Resolves with how many. */
  forget(beforeMs: number): number;
}

const rowShape = z.object({ request: z.string(), answer: z.string(), kept_ms: z.int() });

export function openKeptAnswers(database: Database): KeptAnswers {
  return {
    get: ({ tenant, principal, key }, sinceMs) => {
      const row = database.get(
        'SELECT request, answer, kept_ms FROM kept_answers WHERE tenant = ? AND principal = ? AND key = ? AND kept_ms >= ?',
        tenant,
        principal,
        key,
        sinceMs,
      );
      if (row === undefined) return undefined;
      const { request, answer, kept_ms: keptMs } = rowShape.parse(row);
      return { request: request as Sha256, answer, keptMs };
    },
    put: ({ tenant, principal, key }, { request, answer, keptMs }, sinceMs) =>
      void database.relaxed(() =>
        database.run(
          `INSERT INTO kept_answers (tenant, principal, key, request, answer, kept_ms) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (tenant, principal, key) DO UPDATE SET request = excluded.request, answer = excluded.answer, kept_ms = excluded.kept_ms
           WHERE kept_answers.kept_ms < ?`,
          tenant,
          principal,
          key,
          request,
          answer,
          keptMs,
          sinceMs,
        ),
      ),
    together: (work) => database.transact(work),
    inGroup: database.inGroup,
    forget: (beforeMs) => database.run('DELETE FROM kept_answers WHERE kept_ms < ?', beforeMs).changes,
  };
}
