import * as z from 'zod/mini';
import { runStates, terminalStates, type RunState } from '../../contracts/run.ts';

/** The shapes that several routes share. */
const id = (prefix: string): z.ZodMiniString =>
  z.string().check(z.regex(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{26}$`), `must be ${prefix}_ and 26 lower-case letters or digits`));
export const runId = id('run');
export const sessionId = id('ses');
export const approvalId = id('apr');
export const tokenId = id('tok');
export const taskId = id('tsk');
export const name = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens'));
export const count = z.int().check(z.nonnegative());
export const timeMs = z.int();
/** Of a cursor that is none. */
export const notNext = 'must be the "next" of the page before';
/** `cursor` of the next page; null: there is none. */
export const nextCursor = z.nullable(z.string());

/** A whole number in a query string. */
export function wholeNumber(least: number, most: number): z.ZodMiniType<number> {
  const error = `must be a whole number from ${least} to ${most}`;
  return z.pipe(
    z.string().check(
      z.regex(/^\d{1,9}$/, { error, abort: true }),
      z.refine((text) => Number(text) >= least && Number(text) <= most, error),
    ),
    z.transform(Number),
  );
}

/** A moment in a query string. */
export const moment = z.iso.datetime({ offset: true, error: 'must be a time with its offset, such as 2026-12-24T18:00:00Z' });

/** How many a page has. */
export const pageLimit = z.optional(wholeNumber(1, 500));
export const defaultPage = 50;

/** The page, and the cursor of the next one; null when there is none. */
export function pageOf<T>(
  rows: readonly T[],
  limit: number,
  cursorOf: (row: T) => string,
): { readonly page: readonly T[]; readonly next: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, next: rows.length > limit && last !== undefined ? cursorOf(last) : null };
}

/** What a list of things with names takes. */
export const namedPage = { cursor: z.optional(name), limit: pageLimit };

/** A page of things that are told apart by their names: in the order of these, behind the cursor. */
export function pageByName<T>(
  rows: readonly T[],
  { cursor = '', limit = defaultPage }: { readonly cursor?: string | undefined; readonly limit?: number | undefined },
  nameOf: (row: T) => string,
): { readonly page: readonly T[]; readonly next: string | null } {
  const behind = rows.filter((row) => nameOf(row) > cursor).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return pageOf(behind, limit, nameOf);
}

export const runRow = z.object({
  id: runId,
  session: sessionId,
  tenant: name,
  agent: name,
  project: z.optional(name),
  lane: z.optional(name),
  state: z.enum([...runStates, 'interrupted']),
  door: z.string(),
  model: z.string(),
  inputPreview: z.string(),
  reason: z.string(),
  createdMs: timeMs,
  startedMs: z.optional(timeMs),
  endedMs: z.optional(timeMs),
  turns: count,
  toolCalls: count,
  inputTokens: count,
  outputTokens: count,
  costMicroUsd: z.optional(count),
});

export function isSettled(state: RunState | 'interrupted'): boolean {
  return state === 'waiting' || (state !== 'interrupted' && terminalStates.has(state));
}
