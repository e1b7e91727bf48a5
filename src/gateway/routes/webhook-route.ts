import * as z from 'zod/mini';
import { RequestRefusedError } from '../request-refused-error.ts';
import { defineRoute, json, type Route } from '../route.ts';
import { sessionId } from './shapes.ts';

export const callWebhook: Route = defineRoute({
  method: 'POST',
  path: '/hooks/{hook}',
  summary: 'Start the agent of a webhook trigger. The call is signed; whatever is wrong with it, the answer is the same.',
  scope: 'signed',
  roles: [],
  status: 202,
  isRaw: true,
  params: z.strictObject({ hook: z.string() }),
  /** Of a trigger that starts a workflow: the passage's id, and no session. */
  answer: z.object({ run: z.string(), session: z.optional(sessionId) }),
  handle: async (ctx, { params, headers, body, ip }) => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const answer = (await ctx.fireWebhook?.({ name: params.hook, headers, body: bytes, ip })) ?? { outcome: 'refused' };
    if (answer.outcome === 'accepted') {
      const { run, session } = answer;
      return json({ run, ...(session === undefined ? {} : { session }) });
    }
    if (answer.outcome === 'busy') {
      const code = 'gateway.webhook-busy';
      throw new RequestRefusedError(503, code, 'Nothing more can be started now. Send a new call later.', {
        remedy: 'retry',
        retryAfterSeconds: 30,
      });
    }
    const code = 'gateway.webhook-refused';
    throw new RequestRefusedError(404, code, 'There is no such webhook, or the call is not a right one. The operator’s log says more.');
  },
});
