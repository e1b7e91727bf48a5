import fs from 'node:fs';
import type { FastifyReply } from 'fastify';
import type { GatewayContext } from '../gateway-context.ts';
import type { FinishedReply, Route } from '../route.ts';
import { sendEvents, type EventsOutcome } from './send-events.ts';

export interface Sending {
  readonly route: Route;
  readonly answer: FinishedReply;
  /** Asked again and again while a stream lasts. */
  readonly isStillAllowed: () => boolean;
}

/** Sends what a route answered. Resolves when a stream of events is over, otherwise when the answer is handed on. */
export async function sendReply(
  ctx: Pick<GatewayContext, 'limits'>,
  reply: FastifyReply,
  { route, answer, isStillAllowed }: Sending,
): Promise<EventsOutcome | undefined> {
  switch (answer.kind) {
    case 'json':
      void reply
        .code(answer.status ?? route.status ?? 200)
        .headers({ ...answer.headers })
        .type('application/json; charset=utf-8')
        .send(JSON.stringify(answer.body));
      return undefined;
    case 'text':
      void reply
        .code(200)
        .headers({ ...answer.headers })
        .type(answer.type)
        .send(answer.text);
      return undefined;
    case 'file':
      void reply
        .code(200)
        .type('application/octet-stream')
        .header('content-length', answer.bytes)
        .header('content-disposition', `attachment; filename="${answer.name.replaceAll(/[^\w.-]/g, '_')}"`)
        .send(fs.createReadStream('', { fd: answer.fd, start: 0, end: Math.max(0, answer.bytes - 1) }));
      return undefined;
    case 'events':
      return await sendStream(ctx, reply, { answer, isStillAllowed });
  }
}

async function sendStream(
  ctx: Pick<GatewayContext, 'limits'>,
  reply: FastifyReply,
  { answer, isStillAllowed }: Pick<Sending, 'isStillAllowed'> & { readonly answer: Extract<FinishedReply, { kind: 'events' }> },
): Promise<EventsOutcome> {
  reply.hijack();
  // The socket's own idle timer knows nothing of heartbeats that nobody reads: sendEvents sees to it.
  reply.raw.socket?.setTimeout(0);
  return await sendEvents(reply.raw, {
    frames: answer.frames,
    headers: {
      ...(reply.getHeaders() as Record<string, string>),
      ...answer.headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
    isStillAllowed,
    heartbeatMs: ctx.limits?.heartbeatMs ?? 15_000,
    maxUnreadBytes: ctx.limits?.maxUnreadBytes ?? 256 * 1024,
  });
}
