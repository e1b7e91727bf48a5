import type * as z from 'zod/mini';
import type { RunId, TenantId } from '../contracts/ids.ts';
import type { Principal, Role } from '../contracts/principal.ts';
import { takesAsIs, type Check } from '../contracts/takes-as-is.ts';
import type { GatewayContext } from './gateway-context.ts';

/** Everyone with a token may read what is the tenant's. */
export const readers: readonly Role[] = ['admin', 'operator', 'approver', 'submitter', 'viewer'];
export const submitters: readonly Role[] = ['admin', 'operator', 'submitter'];
export const operators: readonly Role[] = ['admin', 'operator'];
export const approvers: readonly Role[] = ['admin', 'approver'];
export const admins: readonly Role[] = ['admin'];

/** One request, after every check that is the same for all routes. */
export interface Call<P = unknown, Q = unknown, B = unknown> {
  readonly principal: Principal;
  readonly tenant: TenantId;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** As they were sent, names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly ip: string;
  readonly requestId: string;
  readonly traceparent: string;
  /** Unique for principal and key; absent when the client gave none. */
  readonly idempotencyKey: string | undefined;
  readonly nowMs: number;
  /** Fires when the client is gone or the gateway closes. */
  readonly signal: AbortSignal;
}

export interface JsonReply {
  readonly kind: 'json';
  readonly body: unknown;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a route answers. */
export type Reply =
  | JsonReply
  /** What is left to do waits for nothing and writes to the database alone: with an idempotency key, it and its kept answer are one transaction. */
  | { readonly kind: 'last-step'; readonly work: () => JsonReply }
  | { readonly kind: 'text'; readonly type: string; readonly text: string; readonly headers?: Readonly<Record<string, string>> }
  /** Never shown in the browser: it is what an agent wrote. */
  | { readonly kind: 'file'; readonly fd: number; readonly bytes: number; readonly name: string }
  /** Frames of server-sent events; comments keep the connection alive while none comes. */
  | { readonly kind: 'events'; readonly frames: AsyncGenerator<string, void>; readonly headers?: Readonly<Record<string, string>> };

/** One that can be sent. */
export type FinishedReply = Exclude<Reply, { readonly kind: 'last-step' }>;

/**
 * - public: nobody has to say who they are, and nothing of anybody is in the answer;
 * - signed: the request itself carries a signature, which the handler checks;
 * - tenant: for principals of the tenant with one of the roles;
 * - platform: the same, and only for those of tenant `default`.
 */
export type RouteScope = 'public' | 'signed' | 'tenant' | 'platform';

type Schema = z.ZodMiniType;

/** One line of the table of routes: everything that the server, the document and the tests know of it. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** As OpenAPI writes it: `/api/v1/runs/{run}`. */
  readonly path: string;
  readonly summary: string;
  readonly scope: RouteScope;
  /** Any of them. Empty for public and signed. */
  readonly roles: readonly Role[];
  readonly params?: Schema;
  readonly query?: Schema;
  readonly body?: Schema;
  /** Of the body's schema; made by `defineRoute`. */
  readonly takesBody?: Check;
  /** A body for the description, where the schema alone says too little. */
  readonly example?: Readonly<Record<string, unknown>>;
  /** Of the answer when it worked; absent for text, files and events. */
  readonly answer?: Schema;
  /** What else it answers with, as a media type. */
  readonly media?: string;
  /** When it worked. Default 200. */
  readonly status?: number;
  /** Headers that say what is asked for, as path and body do: with an idempotency key, another value is another request. */
  readonly askedInHeaders?: readonly string[];
  /** Its answer holds a secret: it is never stored, so the same idempotency key gives no second look. */
  readonly isSecret?: boolean;
  /** Its body is bytes that the handler reads: a signature is over them as they came. */
  readonly isRaw?: boolean;
  /** So many at the same time for one tenant: it reads much. */
  readonly atOnce?: number;
  /** It may take as long as a run: the socket's idle timer is off meanwhile. */
  readonly isLong?: boolean;
  /** Whether errors have OpenAI's shape. */
  readonly isOpenAi?: boolean;
  handle(ctx: GatewayContext, call: Call): Promise<Reply> | Reply;
}

type Parsed<S> = S extends Schema ? z.output<S> : undefined;

/** Gives the handler the types of its schemas. */
export function defineRoute<P extends Schema | undefined, Q extends Schema | undefined, B extends Schema | undefined>(
  route: Omit<Route, 'params' | 'query' | 'body' | 'handle'> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly handle: (ctx: GatewayContext, call: Call<Parsed<P>, Parsed<Q>, Parsed<B>>) => Promise<Reply> | Reply;
  },
): Route {
  const { body } = route;
  return { ...route, ...(body === undefined ? {} : { takesBody: takesAsIs(() => body) }) } as unknown as Route;
}

export function json(body: unknown, more: Pick<JsonReply, 'status' | 'headers'> = {}): JsonReply {
  return { kind: 'json', body, ...more };
}

/** The body of an answer, made by the last thing that is done. */
export function lastStep(work: () => unknown): Reply {
  return { kind: 'last-step', work: () => json(work()) };
}

/** How a run is named by everything that speaks of one. */
export interface TenantRun {
  readonly tenant: TenantId;
  readonly run: RunId;
}
