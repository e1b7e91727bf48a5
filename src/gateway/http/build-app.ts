import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Principal } from '../../contracts/principal.ts';
import { traceIdOf } from '../../contracts/trace.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import type { Route } from '../route.ts';
import { parseStrictJson } from '../strict-json.ts';
import { answerCall, defaultIdleMs, type Facts } from './answer-call.ts';
import { answerBrokenRequest, refuseExpectation } from './broken-request.ts';
import { checkHeaders } from './check-headers.ts';
import { checkSource, type AllowedHosts } from './check-source.ts';
import { openIdentify } from './identify.ts';
import { openInFlight, type InFlight } from './in-flight.ts';
import { openOnce } from './once.ts';
import { openAiErrorBody, problemBody, problemOf } from './problem.ts';
import { safeHeaders } from './safe-headers.ts';

export interface AppOptions {
  readonly routes: readonly Route[];
  /** Known once the port is. */
  readonly hosts: () => AllowedHosts;
  /** Fires when the gateway closes. */
  readonly closing: AbortSignal;
}

export const maxBodyBytes = 1024 * 1024;

/** Facts of the requests that are being answered. */
type Requests = WeakMap<FastifyRequest, Facts>;

/** The HTTP server for a table of routes; it has no other route, and refuses to have one. */
export async function buildApp(ctx: GatewayContext, options: AppOptions): Promise<FastifyInstance> {
  const { fastify } = await import('fastify');
  const requests: Requests = new WeakMap();
  const app = fastify({
    ...serverOptions(ctx),
    clientErrorHandler: answerBrokenRequest,
    // A target that cannot be decoded reaches no route and none of the hooks.
    frameworkErrors: (thrown, request, reply) => refuse(ctx, { thrown, request, reply }, requests.get(request)),
  });
  app.server.on('checkExpectation', refuseExpectation);
  app.server.maxConnections = ctx.limits?.maxConnections ?? 8192;
  acceptOnlyJson(app);
  const inFlight = openInFlight(ctx.limits?.maxConnections ?? 8192);
  addHooks(ctx, app, { requests, hosts: options.hosts, inFlight });
  const world = { ctx, once: openOnce(ctx), closing: options.closing };
  const add = (scope: FastifyInstance, route: Route): void =>
    void scope.route({
      method: route.method,
      url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      config: { route },
      handler: async (request, reply) => {
        await answerCall(world, { route, request, reply, facts: requests.get(request) as Facts });
        return reply;
      },
    });
  for (const route of options.routes) if (route.isRaw !== true) add(app, route);
  await app.register(async (scope) => {
    acceptBytes(scope);
    for (const route of options.routes) if (route.isRaw === true) add(scope, route);
  });
  return app;
}

interface Hooks {
  readonly requests: Requests;
  readonly hosts: () => AllowedHosts;
  readonly inFlight: InFlight;
}

/** What happens to every request, whatever it asks for. */
function addHooks(ctx: GatewayContext, app: FastifyInstance, { requests, hosts, inFlight }: Hooks): void {
  const identify = openIdentify(ctx);
  app.addHook('onRoute', ({ config }) => {
    if (routeOf(config) === undefined) throw new TypeError('a route that is not in the table of routes has no rules');
  });
  app.addHook('onRequest', async (request, reply) => {
    const facts = factsOf(ctx, request);
    requests.set(request, facts);
    void reply.headers({ ...safeHeaders, 'x-request-id': facts.requestId });
    checkHeaders(request.raw.rawHeaders);
    checkSource(hosts(), request);
    const route = routeOf(request.routeOptions.config);
    if (route === undefined) return;
    facts.principal = identify(route, { headers: request.headers, ip: request.ip, nowMs: facts.startMs });
    if (facts.principal === undefined) return;
    // From before the body is read, to the last byte of the answer.
    const place = inFlight.enter(facts.principal, route);
    reply.raw.once('close', () => place[Symbol.dispose]());
  });
  app.setErrorHandler((thrown, request, reply) => refuse(ctx, { thrown, request, reply }, requests.get(request)));
  app.setNotFoundHandler((request, reply) => {
    const code = 'gateway.unknown-route';
    const thrown = new RequestRefusedError(404, code, 'There is no such path or method. The ones that exist are at /openapi.json.');
    refuse(ctx, { thrown, request, reply }, requests.get(request));
  });
  app.addHook('onResponse', async (request, reply) => account(ctx, { request, status: reply.statusCode }, requests.get(request)));
}

/** For bodies whose signature is over the bytes as they came. */
function acceptBytes(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_request, bytes, done) => done(null, bytes));
}

function serverOptions({ limits = {} }: GatewayContext): object {
  const { headersMs = 10_000, requestMs = 30_000, idleMs = defaultIdleMs } = limits;
  return {
    logger: false,
    exposeHeadRoutes: false,
    trustProxy: false,
    return503OnClosing: true,
    bodyLimit: maxBodyBytes,
    requestTimeout: requestMs,
    connectionTimeout: idleMs,
    keepAliveTimeout: Math.min(idleMs, 30_000),
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: false, ignoreDuplicateSlashes: false, caseSensitive: true, maxParamLength: 512 },
    http: {
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, headersMs / 4)),
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      maxHeaderSize: 16 * 1024,
      // Refused with a sentence by checkSource.
      requireHostHeader: false,
      noDelay: true,
    },
  };
}

/** One parser, and none for anything else: what it does not understand is refused. */
function acceptOnlyJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: maxBodyBytes }, (_request, bytes, done) => {
    try {
      done(null, (bytes as Buffer).length === 0 ? undefined : parseStrictJson(bytes as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
}

export function routeOf(config: unknown): Route | undefined {
  return (config as { readonly route?: Route } | undefined)?.route;
}

function factsOf(ctx: GatewayContext, request: FastifyRequest): Facts {
  const given = request.headers['x-request-id'];
  const requestId = typeof given === 'string' && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
  return {
    requestId,
    startMs: ctx.clock.now(),
    startedAt: performance.now(),
    principal: undefined,
    traceparent: undefined,
    problem: undefined,
  };
}

interface Refusal {
  readonly thrown: unknown;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Details of what is our own fault go to the log, under the id that the client gets. */
function refuse(ctx: GatewayContext, { thrown, request, reply }: Refusal, facts: Facts | undefined): void {
  const problem = problemOf(thrown);
  const requestId = facts?.requestId ?? randomUUID();
  if (facts !== undefined) facts.problem = problem.code;
  if (problem.isOurs) {
    const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    ctx.log.error('a request failed', { ...logFields(facts), request_id: requestId, code: problem.code, error: why });
  }
  const isOpenAi = routeOf(request.routeOptions.config)?.isOpenAi === true || request.url.startsWith('/v1/');
  // OpenAI's clients would ask again at once by themselves.
  const hasQuota = isOpenAi && problem.more['quota'] !== undefined;
  void reply
    .code(problem.status)
    .headers({ ...safeHeaders, ...problem.headers, ...(hasQuota ? { 'x-should-retry': 'false' } : {}), 'x-request-id': requestId })
    .type(isOpenAi ? 'application/json; charset=utf-8' : 'application/problem+json; charset=utf-8')
    .send(isOpenAi ? openAiErrorBody(problem, requestId) : problemBody(problem, requestId));
}

function logFields(facts: Facts | undefined): Readonly<Record<string, string | undefined>> {
  const principal: Principal | undefined = facts?.principal;
  return { tenant_id: principal?.tenant, principal: principal?.id, trace_id: traceIdOf(facts?.traceparent) };
}

/** One line and one count for each answer. Reads that worked are many and say little, and a flood must not fill the log. */
function account(
  ctx: GatewayContext,
  { request, status }: { readonly request: FastifyRequest; readonly status: number },
  facts: Facts | undefined,
): void {
  const route = routeOf(request.routeOptions.config)?.path ?? 'none';
  const { method } = request;
  const seconds = (performance.now() - (facts?.startedAt ?? performance.now())) / 1000;
  ctx.metrics.count('http_requests_total', { method, route, status: String(status) });
  ctx.metrics.observe('http_request_duration_seconds', seconds, { method, route });
  const isQuiet = (method === 'GET' && status < 400) || status === 429;
  const fields = {
    ...logFields(facts),
    request_id: facts?.requestId,
    method,
    route,
    status,
    ms: Math.round(seconds * 1000),
    code: facts?.problem,
  };
  ctx.log[isQuiet ? 'debug' : 'info']('request', fields);
}
