import * as z from 'zod/mini';
import type { TenantId } from '../../contracts/ids.ts';
import { ledgerEvents, type LedgerEventType } from '../../contracts/ledger.ts';
import { readLedger, tailLedger, type LedgerFilter, type LedgerRecord } from '../../governance/query-ledger.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import { defineRoute, json, readers, type Route } from '../route.ts';
import { count, defaultPage, name, pageLimit, runId } from './shapes.ts';

const record = z.object({ stream: z.string(), seq: count, hash: z.string(), event: z.looseObject({ type: z.string(), at: z.string() }) });

export const queryLedger: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/ledger',
  summary: "Records of the tenant's ledger: the newest that match, or, from `since` or a cursor on, the oldest first.",
  scope: 'tenant',
  roles: readers,
  atOnce: 4,
  query: z.strictObject({
    run: z.optional(runId),
    agent: z.optional(name),
    type: z.optional(z.string().check(z.regex(/^[a-z.]{1,40}$/))),
    tool: z.optional(z.string().check(z.maxLength(100))),
    since: z.optional(z.iso.datetime({ offset: true })),
    until: z.optional(z.iso.datetime({ offset: true })),
    cursor: z.optional(z.string().check(z.regex(/^\d{1,15}_s\d{2,6}_\d{1,12}$/))),
    limit: pageLimit,
  }),
  answer: z.object({ records: z.array(record), next: z.nullable(z.string()) }),
  handle: async (ctx, { tenant, query, signal }) => {
    const limit = query.limit ?? defaultPage;
    const filter = filterOf(query);
    const dir = ctx.home.ledgerDir(tenant);
    if (query.since === undefined && query.cursor === undefined)
      return json({ records: (await tailLedger(dir, limit, filter)).map(shownRecord), next: null });
    const records = await pageAfter(readLedger(dir, { ...filter, sinceMs: startOf(query) }), { cursor: query.cursor, limit, signal });
    const last = records.at(limit - 1);
    return json({
      records: records.slice(0, limit).map(shownRecord),
      next: records.length > limit && last !== undefined ? cursorOf(last) : null,
    });
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
  readonly cursor?: string | undefined;
}

function filterOf({ run, agent, type, tool, until }: Query): LedgerFilter {
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
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  };
}

function startOf({ since, cursor }: Query): number {
  return cursor === undefined ? Date.parse(since ?? '') : Number(cursor.split('_')[0]);
}

function cursorOf({ stream, seq, event }: LedgerRecord): string {
  return `${Date.parse(event.at)}_${stream}_${seq}`;
}

/** One more than a page, behind the cursor's record. Stops reading when the client is gone. */
async function pageAfter(
  records: AsyncGenerator<LedgerRecord>,
  { cursor, limit, signal }: { readonly cursor: string | undefined; readonly limit: number; readonly signal: AbortSignal },
): Promise<LedgerRecord[]> {
  const page: LedgerRecord[] = [];
  let isBehind = cursor === undefined;
  for await (const one of records) {
    if (signal.aborted) break;
    if (isBehind) page.push(one);
    else isBehind = cursorOf(one) === cursor;
    if (page.length > limit) break;
  }
  return page;
}

function shownRecord({ stream, seq, hash, event }: LedgerRecord): z.output<typeof record> {
  return { stream, seq, hash, event };
}
