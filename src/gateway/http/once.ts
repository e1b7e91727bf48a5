import { canonicalJson, sha256, type Sha256 } from '../../contracts/json.ts';
import type { Principal } from '../../contracts/principal.ts';
import type { AnswerKey } from '../../state/kept-answers.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import { json, type FinishedReply, type JsonReply, type Reply, type Route } from '../route.ts';

/** For how long the same key gives the same answer. */
export const keptForMs = 24 * 60 * 60 * 1000;

type OnceContext = Pick<GatewayContext, 'kept' | 'clock'>;

export interface OnceRequest {
  readonly route: Route;
  readonly principal: Principal;
  readonly key: string;
  readonly asked: {
    /** The path as it was asked for, query included. */
    readonly url: string;
    readonly body: unknown;
    /** Those that say what is asked for, if there are any. */
    readonly headers: Readonly<Record<string, unknown>>;
  };
}

/**
 * Gives the same answer to the same request, for the idempotency key of one principal.
 *
 * Contract: of several requests with one key at the same time, one works and the others are told to come back; a key
 * with another request is refused; only answers that worked are kept, so that a refused request can be made again; an
 * answer with a secret is not kept, and its key is refused from then on. After a crash in between, the work may be asked
 * for again: what must not be done twice has a key of its own further in (runs, passages), is done once by its nature (an
 * answer, a job's id), or is one transaction with its answer (`lastStep`).
 */
export function openOnce(ctx: OnceContext): (request: OnceRequest, work: () => Promise<Reply> | Reply) => Promise<FinishedReply> {
  const underWay = new Set<string>();
  return async (request, work) => {
    const hash = hashOf(request);
    const place: AnswerKey = { tenant: request.principal.tenant, principal: request.principal.id, key: request.key };
    const kept = ctx.kept.get(place, ctx.clock.now() - keptForMs);
    if (kept !== undefined) return answerAgain(kept, hash);
    const name = JSON.stringify(place);
    if (underWay.has(name)) throw busyKey();
    underWay.add(name);
    try {
      const done = <R extends Reply>(reply: R): R => {
        keep(ctx, { place, hash, reply, route: request.route });
        return reply;
      };
      const reply = await work();
      return reply.kind === 'last-step' ? ctx.kept.together(() => done(reply.work())) : done(reply);
    } finally {
      underWay.delete(name);
    }
  };
}

/** A request without such headers hashes as ever: answers of older versions are kept. */
function hashOf({ route, asked: { url, body, headers } }: OnceRequest): Sha256 {
  return sha256(canonicalJson([route.method, url, body ?? null, ...(Object.keys(headers).length === 0 ? [] : [headers])]));
}

function answerAgain(kept: { readonly request: Sha256; readonly answer: string }, hash: Sha256): JsonReply {
  if (kept.request !== hash) {
    const code = 'gateway.other-request';
    const message = 'This Idempotency-Key was used for another request. Use a new key for a new request.';
    throw new RequestRefusedError(422, code, message);
  }
  if (kept.answer === '') {
    const code = 'gateway.shown-once';
    const message = 'This was done, and its answer held a secret that is shown once. Make another one if the answer was lost.';
    throw new RequestRefusedError(409, code, message);
  }
  const { body, status, headers } = JSON.parse(kept.answer) as {
    readonly body: unknown;
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
  };
  return json(body, { status, headers: { ...headers, 'idempotency-replayed': 'true' } });
}

interface Keeping {
  readonly place: AnswerKey;
  readonly hash: Sha256;
  readonly reply: Reply;
  readonly route: Route;
}

function keep(ctx: OnceContext, { place, hash, reply, route }: Keeping): void {
  if (reply.kind !== 'json') return;
  const { body, status = route.status ?? 200, headers = {} } = reply;
  const nowMs = ctx.clock.now();
  const answer = route.isSecret === true ? '' : JSON.stringify({ body, status, headers });
  ctx.kept.put(place, { request: hash, answer, keptMs: nowMs }, nowMs - keptForMs);
}

function busyKey(): RequestRefusedError {
  const code = 'gateway.key-busy';
  const message = 'A request with this Idempotency-Key is under way. Try again when it has ended.';
  return new RequestRefusedError(409, code, message, { remedy: 'retry', retryAfterSeconds: 1 });
}

/** The client's key; undefined when there is none. @throws RequestRefusedError for one that cannot be kept. */
export function idempotencyKeyOf(route: Route, value: string | readonly string[] | undefined): string | undefined {
  if (route.method !== 'POST' || value === undefined) return undefined;
  if (typeof value === 'string' && /^[\x21-\x7e]{1,128}$/.test(value)) return value;
  const code = 'gateway.bad-key';
  throw new RequestRefusedError(400, code, 'Idempotency-Key must be 1 to 128 visible ASCII letters. Use a UUID.');
}
