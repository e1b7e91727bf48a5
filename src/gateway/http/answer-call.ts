import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../../contracts/principal.ts';
import { traceIdOf } from '../../contracts/trace.ts';
import type { GatewayContext } from '../gateway-context.ts';
import type { Call, FinishedReply, Reply, Route } from '../route.ts';
import { isOpenTenant, secretOf } from './identify.ts';
import { idempotencyKeyOf, type openOnce } from './once.ts';
import { parseCall } from './parse-call.ts';
import { sendReply } from './send-reply.ts';

/** What is known of one request while it is answered. */
export interface Facts {
  readonly requestId: string;
  readonly startMs: number;
  readonly startedAt: number;
  principal: Principal | undefined;
  traceparent: string | undefined;
  /** Code of what went wrong. */
  problem: string | undefined;
}

export interface World {
  readonly ctx: GatewayContext;
  readonly once: ReturnType<typeof openOnce>;
  readonly closing: AbortSignal;
}

export interface Asked {
  readonly route: Route;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly facts: Facts;
}

export const defaultIdleMs = 60_000;

/** From a request that may be made to its answer, within one step of its trace. */
export async function answerCall({ ctx, once, closing }: World, { route, request, reply, facts }: Asked): Promise<void> {
  const { principal } = facts;
  const key = idempotencyKeyOf(route, request.headers['idempotency-key']);
  const parsed = parseCall(route, { params: request.params, query: request.query, body: request.body });
  const parent = traceparentOf(request.headers['traceparent']);
  const attributes = { 'http.request.method': route.method, 'http.route': route.path, 'clawhold.tenant': principal?.tenant ?? '' };
  if (route.isLong === true) request.raw.socket.setTimeout(0);
  const answered = await ctx.tracer.inSpan(`${route.method} ${route.path}`, { parent, attributes }, async (span) => {
    facts.traceparent = span.traceparent;
    void reply.header('traceparent', span.traceparent);
    const call = callOf({ route, request, reply, facts }, { parsed, key, closing });
    const work = (): Promise<Reply> | Reply => route.handle(ctx, call);
    if (key === undefined || principal === undefined) return finished(await work());
    const { url, body, headers } = request;
    return await once({ route, principal, key, asked: { url, body, headers: askedIn(route, headers) } }, work);
  });
  if (route.isLong === true) request.raw.socket.setTimeout(ctx.limits?.idleMs ?? defaultIdleMs);
  // A stream outlives its request: token and tenant are looked at again while it lasts.
  const isStillAllowed = (): boolean =>
    principal === undefined ||
    (ctx.authenticate(secretOf(request.headers) ?? '', ctx.clock.now()) !== undefined && isOpenTenant(ctx, principal.tenant));
  await sendReply(ctx, reply, { route, answer: answered, isStillAllowed });
}

function finished(reply: Reply): FinishedReply {
  return reply.kind === 'last-step' ? reply.work() : reply;
}

function askedIn({ askedInHeaders = [] }: Route, headers: Call['headers']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(askedInHeaders.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
}

interface Prepared {
  readonly parsed: Pick<Call, 'params' | 'query' | 'body'>;
  readonly key: string | undefined;
  readonly closing: AbortSignal;
}

function callOf({ request, reply, facts }: Asked, { parsed, key, closing }: Prepared): Call {
  const principal = facts.principal as Principal;
  let signal: AbortSignal | undefined;
  return {
    ...parsed,
    principal,
    tenant: principal?.tenant,
    headers: request.headers,
    ip: request.ip,
    requestId: facts.requestId,
    traceparent: facts.traceparent ?? '',
    idempotencyKey: key === undefined ? undefined : `${principal.id}:${key}`,
    nowMs: facts.startMs,
    // Made for the few that wait: every other request is over before anybody could look at it.
    get signal() {
      return (signal ??= signalOf(reply, closing));
    },
  };
}

/** Fires when the client has gone before its answer, or the gateway closes. */
function signalOf({ raw }: FastifyReply, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  if (raw.destroyed || closing.aborted) {
    abort();
    return gone.signal;
  }
  closing.addEventListener('abort', abort, { once: true });
  raw.on('close', () => {
    closing.removeEventListener('abort', abort);
    if (!raw.writableFinished) abort();
  });
  return gone.signal;
}

function traceparentOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' && traceIdOf(value) !== undefined ? value : undefined;
}
