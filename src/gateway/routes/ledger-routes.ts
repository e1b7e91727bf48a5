import * as z from 'zod/mini';
import type { TenantId } from '../../contracts/ids.ts';
import { ledgerEvents, type LedgerEventType } from '../../contracts/ledger.ts';
import { cursorShape, leadsBack, pageLedger, tailPage } from '../../governance/page-ledger.ts';
import type { LedgerFilter, LedgerRecord } from '../../governance/query-ledger.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import { defineRoute, json, readers, type Route } from '../route.ts';
import { count, defaultPage, moment, name, notNext, pageLimit, runId } from './shapes.ts';

const record = z.object({ stream: z.string(), seq: count, hash: z.string(), event: z.looseObject({ type: z.string(), at: z.string() }) });

export const queryLedger: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/ledger',
  summary:
    "Records of the tenant's ledger: the newest that match, and with `next` older and older ones, or, from `since` on, the oldest first. A page reads a bounded part: with `next` it may be empty and more may follow; `isComplete` says that there is no more.",
  scope: 'tenant',
  roles: readers,
  atOnce: 4,
  query: z.strictObject({
    run: z.optional(runId),
    agent: z.optional(name),
    type: z.optional(z.string().check(z.maxLength(100))),
    tool: z.optional(z.string().check(z.maxLength(100))),
    since: z.optional(moment),
    until: z.optional(moment),
    /** `next` of the page before. */
    cursor: z.optional(z.string().check(z.maxLength(4096), z.regex(cursorShape, notNext))),
    limit: pageLimit,
  }),
  answer: z.object({ records: z.array(record), next: z.nullable(z.string()), isComplete: z.boolean() }),
  handle: async (ctx, { tenant, query }) => {
    const limit = query.limit ?? defaultPage;
    const filter = filterOf(query);
    const dir = ctx.home.ledgerDir(tenant);
    const { cursor } = query;
    const isBackwards = cursor === undefined ? query.since === undefined : leadsBack(cursor);
    const request = { filter, limit, cursor };
    const { records, next } = await (isBackwards ? tailPage(dir, request) : pageLedger(dir, request));
    return json({ records: records.map(shownRecord), next: next ?? null, isComplete: next === undefined });
  },
});

/** Under way, by tenant: who asks meanwhile gets the same answer, for reading a ledger costs the same for one and for many. */
type Verifications = WeakMap<GatewayContext, Map<TenantId, ReturnType<GatewayContext['verifyLedger']>>>;

/** Made anew for each table, so that nothing outlives its gateway. */
export function verifyLedgerRoute(): Route {
  const underWay: Verifications = new WeakMap();
  return defineRoute({
    method: 'GET',
    path: '/api/v1/ledger/verify',
    summary: 'Read the whole ledger of the tenant and say whether a byte of it was changed.',
    scope: 'tenant',
    roles: readers,
    answer: z.looseObject({ ok: z.boolean(), rows: count, problemCount: count, problems: z.array(z.looseObject({ message: z.string() })) }),
    handle: async (ctx, { tenant }) => {
      const all = underWay.get(ctx) ?? new Map<TenantId, ReturnType<GatewayContext['verifyLedger']>>();
      underWay.set(ctx, all);
      const running = all.get(tenant) ?? ctx.verifyLedger(tenant).finally(() => all.delete(tenant));
      all.set(tenant, running);
      return json(await running);
    },
  });
}

interface Query {
  readonly run?: string | undefined;
  readonly agent?: string | undefined;
  readonly type?: string | undefined;
  readonly tool?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

function filterOf({ run, agent, type, tool, since, until }: Query): LedgerFilter {
  if (type !== undefined && !Object.hasOwn(ledgerEvents, type)) {
    const code = 'gateway.unknown-event';
    const message = `There is no ledger event ${JSON.stringify(type)}. Use one of: ${Object.keys(ledgerEvents).join(', ')}.`;
    throw new RequestRefusedError(400, code, message);
  }
  return {
    ...(run === undefined ? {} : { run }),
    ...(agent === undefined ? {} : { agent }),
    ...(type === undefined ? {} : { type: type as LedgerEventType }),
    ...(tool === undefined ? {} : { tool }),
    ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  };
}

function shownRecord({ stream, seq, hash, event }: LedgerRecord): z.output<typeof record> {
  return { stream, seq, hash, event };
}
