import * as z from 'zod/mini';
import type { FeedEvent } from '../../contracts/run-feed.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import { defineRoute, readers, type Route } from '../route.ts';
import { findRun } from './find-run.ts';
import { runId } from './shapes.ts';

export const followRun: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/runs/{run}/events',
  summary:
    'What happens in a run, as server-sent events: every entry of its journal with its line as id, and parts of texts without one. Goes on behind `Last-Event-ID`; ends with the run.',
  scope: 'tenant',
  roles: readers,
  params: z.strictObject({ run: runId }),
  query: z.strictObject({ after: z.optional(z.string()) }),
  media: 'text/event-stream',
  handle: (ctx, call) => {
    const row = findRun(ctx, call.tenant, call.params.run);
    const after = lastLineOf(call.headers['last-event-id'] ?? call.query.after);
    return { kind: 'events', frames: framesOf(ctx.feed.follow({ tenant: row.tenant, run: row.id }, after, call.signal)) };
  },
});

function lastLineOf(value: string | readonly string[] | undefined): number {
  if (value === undefined || value === '') return 0;
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value);
  const code = 'gateway.bad-event-id';
  throw new RequestRefusedError(
    400,
    code,
    'Last-Event-ID must be the id of an event: a line of the journal. Leave it out to get everything.',
  );
}

async function* framesOf(events: AsyncIterable<FeedEvent>): AsyncGenerator<string, void> {
  for await (const { seq, type, data, json } of events) {
    // JSON has no line break outside its escapes, so one line is the whole event.
    yield `${seq === undefined ? '' : `id: ${seq}\n`}event: ${type}\ndata: ${json ?? JSON.stringify(data)}\n\n`;
  }
}
