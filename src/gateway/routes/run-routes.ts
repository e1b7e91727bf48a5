import * as z from 'zod/mini';
import type { AgentId, RunId, SessionId } from '../../contracts/ids.ts';
import { runLimits, runStates, terminalStates } from '../../contracts/run.ts';
import { isClaimAlive } from '../../governance/ledger.ts';
import type { RunRow } from '../../state/runs.ts';
import { admittedOr } from '../admission-reply.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import { defineRoute, json, operators, readers, submitters, type Route } from '../route.ts';
import { artifact, artifactsOf } from './artifact-routes.ts';
import { findRun, outputOf, shownRun } from './find-run.ts';
import {
  approvalId,
  defaultPage,
  isSettled,
  name,
  nextCursor,
  pageLimit,
  pageOf,
  runId,
  runRow,
  sessionId,
  wholeNumber,
} from './shapes.ts';

const oneRun = z.object({ run: runRow, output: z.string(), waiting: z.array(approvalId), artifacts: z.array(artifact) });
const params = z.strictObject({ run: runId });

export const startRun: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/runs',
  summary: 'Put a run of an agent on the queue. It is durable when this answers.',
  scope: 'tenant',
  roles: submitters,
  status: 202,
  example: { agent: 'main', input: 'What is in the workspace?' },
  body: z.strictObject({
    agent: name,
    input: z.string().check(z.minLength(1)),
    session: z.optional(sessionId),
    model: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
    /** A project of the tenant and one of its lanes: the run works in the project's repo. */
    project: z.optional(name),
    lane: z.optional(name),
    limits: z.optional(z.partial(runLimits)),
    priority: z.optional(z.int().check(z.nonnegative(), z.maximum(9))),
    /** Milliseconds since the epoch. */
    notBefore: z.optional(z.int().check(z.nonnegative(), z.maximum(8_640_000_000_000_000))),
  }),
  answer: z.object({ run: runId, session: sessionId, state: z.literal('accepted') }),
  handle: async (ctx, { principal, body, idempotencyKey, traceparent }) => {
    const { agent, input, session, model, limits, priority, notBefore, project, lane } = body;
    const admission = await ctx.admit(principal, {
      agent: agent as AgentId,
      input,
      door: 'http',
      traceparent,
      ...(session === undefined ? {} : { session: session as SessionId }),
      ...(model === undefined ? {} : { model }),
      ...(project === undefined ? {} : { project }),
      ...(lane === undefined ? {} : { lane }),
      ...(limits === undefined ? {} : { limits: definedIn(limits) }),
      ...(priority === undefined ? {} : { priority }),
      ...(notBefore === undefined ? {} : { notBeforeMs: notBefore }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    const { run, session: inSession } = admittedOr(admission);
    return json({ run, session: inSession, state: 'accepted' }, { headers: { location: `/api/v1/runs/${run}` } });
  },
});

export const listRuns: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/runs',
  summary: 'Runs, newest first.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject({
    agent: z.optional(name),
    session: z.optional(sessionId),
    state: z.optional(z.enum(runStates)),
    cursor: z.optional(runId),
    limit: pageLimit,
  }),
  answer: z.object({ runs: z.array(runRow), next: nextCursor }),
  handle: (ctx, { tenant, query }) => {
    const limit = query.limit ?? defaultPage;
    const rows = ctx.stores(tenant).runs.list({
      tenant,
      limit: limit + 1,
      ...(query.agent === undefined ? {} : { agent: query.agent as AgentId }),
      ...(query.session === undefined ? {} : { session: query.session as SessionId }),
      ...(query.state === undefined ? {} : { state: query.state }),
      ...(query.cursor === undefined ? {} : { before: query.cursor as RunId }),
    });
    const { page, next } = pageOf(rows, limit, (row) => row.id);
    return json({ runs: page.map(shownRun), next });
  },
});

export const showRun: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/runs/{run}',
  summary:
    'One run: state, output, open questions, and the files that it left. With `wait`, the answer comes when it ended or waits for a human.',
  scope: 'tenant',
  roles: readers,
  params,
  query: z.strictObject({ wait: z.optional(wholeNumber(0, 30)) }),
  answer: oneRun,
  handle: async (ctx, call) => {
    const row = findRun(ctx, call.tenant, call.params.run);
    const waitMs = (call.query.wait ?? 0) * 1000;
    if (waitMs === 0 || isSettled(row.state)) return json(describeRun(ctx, row));
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    const timer = setTimeout(abort, waitMs);
    call.signal.addEventListener('abort', abort, { once: true });
    try {
      const { now, output } = await settledRow(ctx, row, stop.signal);
      return json(describeRun(ctx, now, output));
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', abort);
    }
  },
});

interface Settled {
  readonly now: RunRow;
  /** As it was told with the end. */
  readonly output?: string;
}

/** The row once the run has ended or waits, or as it is when the signal fires. The journal's end is written a moment before the row. */
async function settledRow(ctx: GatewayContext, row: RunRow, signal: AbortSignal): Promise<Settled> {
  const end = await ctx.feed.waitUntilSettled({ tenant: row.tenant, run: row.id }, signal);
  if (end === undefined) return { now: findRun(ctx, row.tenant, row.id) };
  for (let waitMs = 1; waitMs < 1000 && !signal.aborted; waitMs *= 2) {
    const now = findRun(ctx, row.tenant, row.id);
    // What a row alone tells of an end has no totals, and no output.
    if (now.state === end.state && end.totals !== undefined) return { now, output: end.output };
    if (isSettled(now.state)) return { now };
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return { now: findRun(ctx, row.tenant, row.id) };
}

function describeRun(ctx: GatewayContext, row: RunRow, output?: string): z.output<typeof oneRun> {
  const isOver = terminalStates.has(row.state);
  const waiting = isOver ? [] : ctx.stores(row.tenant).approvals.list({ tenant: row.tenant, run: row.id, state: 'open' }, ctx.clock.now());
  return {
    run: { ...shownRun(row), state: liveState(ctx, row) },
    output: isSettled(row.state) ? (output ?? outputOf(ctx, row)) : '',
    waiting: waiting.map(({ id }) => id),
    artifacts: artifactsOf(ctx, row),
  };
}

/** A run whose process is gone is interrupted, whatever its row says. */
function liveState(ctx: GatewayContext, { state, owner, tenant }: RunRow): RunRow['state'] | 'interrupted' {
  return state !== 'running' || owner === undefined || isClaimAlive(ctx.home.ledgerDir(tenant), owner) ? state : 'interrupted';
}

export const stopRun: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/runs/{run}/stop',
  summary: 'End a run after its current step, or take it off the queue.',
  scope: 'tenant',
  roles: operators,
  status: 202,
  params,
  answer: z.object({ run: runId, outcome: z.enum(['asked', 'cancelled']) }),
  handle: async (ctx, { principal, tenant, params: { run } }) => {
    const row = findRun(ctx, tenant, run);
    const outcome = await ctx.stopRun(principal, row.id);
    if (outcome !== 'not-running') return json({ run, outcome });
    const code = 'gateway.not-running';
    throw new RequestRefusedError(409, code, `Run ${run} is ${row.state}, so there is nothing to stop.`);
  },
});

export const resumeRun: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/runs/{run}/resume',
  summary: 'Go on with a run that was stopped, was interrupted, failed or reached a limit, from where it was.',
  scope: 'tenant',
  roles: operators,
  status: 202,
  params,
  answer: z.object({ run: runId, session: sessionId }),
  handle: async (ctx, { principal, tenant, params: { run }, traceparent }) => {
    const row = findRun(ctx, tenant, run);
    const { run: shown, waiting, artifacts } = describeRun(ctx, row);
    if (shown.state === 'running' || shown.state === 'accepted' || waiting.length > 0) {
      const code = 'gateway.run-goes-on';
      const why =
        waiting.length > 0 ? `waits for answers: ${waiting.join(', ')}. Answer them, and it goes on` : `is ${shown.state} already`;
      throw new RequestRefusedError(409, code, `Run ${run} ${why}.`);
    }
    if (!artifacts.some((one) => one.name === 'journal.jsonl')) {
      const code = 'gateway.run-never-began';
      throw new RequestRefusedError(
        409,
        code,
        `Run ${run} is ${shown.state} and never began, so there is nothing to go on with. Start it again.`,
      );
    }
    const { session } = admittedOr(await ctx.resume(principal, { run: row.id, traceparent }));
    return json({ run, session });
  },
});

function definedIn<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
