import * as z from 'zod/mini';
import type { RunRequest } from '../../contracts/admission.ts';
import { sha256 } from '../../contracts/json.ts';
import type { SessionId } from '../../contracts/ids.ts';
import type { AnswerKey } from '../../state/kept-answers.ts';
import { admittedOr } from '../admission-reply.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { chatRequest, conversationKey, inputOf, readConversation, type ChatRequest, type Conversation } from '../openai/chat-request.ts';
import { completionOf, type ChatRun } from '../openai/chat-reply.ts';
import { chatFrames } from '../openai/chat-stream.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import { defineRoute, json, readers, submitters, type Call, type Reply, type Route } from '../route.ts';
import { sessionId } from './shapes.ts';

/** A conversation that its client sends whole is found again for so long. */
const rememberedMs = 24 * 60 * 60 * 1000;
const model = z.object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() });

export const listModels: Route = defineRoute({
  method: 'GET',
  path: '/v1/models',
  summary: "Agents as models, in OpenAI's form.",
  scope: 'tenant',
  roles: readers,
  isOpenAi: true,
  answer: z.object({ object: z.literal('list'), data: z.array(model) }),
  handle: async (ctx, { tenant }) => {
    const agents = await ctx.agents.list(tenant);
    return json({ object: 'list', data: agents.map(({ agent }) => modelOf(agent, tenant)) });
  },
});

export const showModel: Route = defineRoute({
  method: 'GET',
  path: '/v1/models/{model}',
  summary: 'One of them. The slash in its name is written %2F.',
  scope: 'tenant',
  roles: readers,
  isOpenAi: true,
  params: z.strictObject({ model: z.string() }),
  answer: model,
  handle: async (ctx, { tenant, params }) => {
    const found = (await ctx.agents.list(tenant)).find(({ agent }) => `agent/${agent}` === params.model);
    if (found === undefined) throw unknownThing('model', params.model);
    return json(modelOf(found.agent, tenant));
  },
});

function modelOf(agent: string, tenant: string): z.output<typeof model> {
  return { id: `agent/${agent}`, object: 'model', created: 0, owned_by: tenant };
}

export const createChatCompletion: Route = defineRoute({
  method: 'POST',
  path: '/v1/chat/completions',
  summary:
    "Run an agent and answer in OpenAI's form, whole or as a stream. `X-Clawhold-Session` names the session to go on in, `X-Clawhold-Project` and `X-Clawhold-Lane` the project that it works for.",
  scope: 'tenant',
  roles: submitters,
  isOpenAi: true,
  isLong: true,
  askedInHeaders: ['x-clawhold-session', 'x-clawhold-project', 'x-clawhold-lane'],
  example: { model: 'agent/main', messages: [{ role: 'user', content: 'hello' }] },
  body: chatRequest,
  answer: z.looseObject({
    id: z.string(),
    object: z.literal('chat.completion'),
    choices: z.array(z.looseObject({ finish_reason: z.string() })),
  }),
  handle: async (ctx, call) => {
    const conversation = readConversation(call.body);
    const chat = await startChat(ctx, call, conversation);
    const headers = { 'x-clawhold-run': chat.run, 'x-clawhold-session': chat.session };
    const remember = async (said: string): Promise<void> => await rememberConversation(ctx, call, { conversation, chat, said });
    const reply = call.body.stream === true ? streamOf(ctx, call, { chat, remember }) : await wholeOf(ctx, call, { chat, remember });
    return { ...reply, headers };
  },
});

type ChatCall = Call<unknown, unknown, ChatRequest>;

async function startChat(ctx: GatewayContext, call: ChatCall, conversation: Conversation): Promise<ChatRun> {
  const { agent } = conversation;
  const place = placeOf(call);
  const known = sessionOf(call) ?? rememberedSession(ctx, call, conversation);
  const { input, untrusted } = inputOf(conversation, known !== undefined);
  const { run, session } = admittedOr(
    await ctx.admit(call.principal, {
      agent,
      input,
      ...(untrusted.length === 0 ? {} : { untrusted }),
      ...place,
      door: 'http',
      traceparent: call.traceparent,
      ...(known === undefined ? {} : { session: known }),
      ...(call.idempotencyKey === undefined ? {} : { idempotencyKey: call.idempotencyKey }),
    }),
  );
  return { run, session, model: call.body.model, createdSeconds: Math.floor(call.nowMs / 1000) };
}

function sessionOf({ headers }: ChatCall): SessionId | undefined {
  const named = headers['x-clawhold-session'];
  if (named === undefined) return undefined;
  if (typeof named === 'string' && isSession(named)) return named as SessionId;
  throw unknownThing('session', String(named));
}

function isSession(text: string): boolean {
  return sessionId.safeParse(text).success;
}

/** Of all requests of a client that works for one project: its headers are set once. */
function placeOf({ headers }: ChatCall): Pick<RunRequest, 'project' | 'lane'> {
  const [project, lane] = [headers['x-clawhold-project'], headers['x-clawhold-lane']];
  return { ...(project === undefined ? {} : { project: String(project) }), ...(lane === undefined ? {} : { lane: String(lane) }) };
}

/** The session in which exactly these messages were said, by this principal. */
function rememberedSession(ctx: GatewayContext, call: ChatCall, { agent, earlier }: Conversation): SessionId | undefined {
  if (earlier.length === 0) return undefined;
  const kept = ctx.kept.get(keyOf(call, conversationKey(agent, earlier, placeOf(call))), call.nowMs - rememberedMs);
  // Its place among kept answers can be taken: by a client that sends its name as an idempotency key.
  return kept !== undefined && isSession(kept.answer) ? (kept.answer as SessionId) : undefined;
}

interface Said {
  readonly conversation: Conversation;
  readonly chat: ChatRun;
  readonly said: string;
}

/** The client will send all of it again with its next question: then the session goes on, with what is trusted in it and what is not. */
async function rememberConversation(ctx: GatewayContext, call: ChatCall, { conversation, chat, said }: Said): Promise<void> {
  const { agent, earlier, asked } = conversation;
  const key = conversationKey(agent, [...earlier, ...asked, { role: 'assistant', text: said }], placeOf(call));
  const nowMs = ctx.clock.now();
  const kept = { request: sha256(key), answer: chat.session, keptMs: nowMs };
  await ctx.kept.inGroup(() => ctx.kept.put(keyOf(call, key), kept, nowMs - rememberedMs));
}

function keyOf({ principal, tenant }: ChatCall, key: string): AnswerKey {
  return { tenant, principal: principal.id, key };
}

interface Chatting {
  readonly chat: ChatRun;
  readonly remember: (said: string) => Promise<void>;
}

type JsonReply = Extract<Reply, { kind: 'json' }>;
type EventsReply = Extract<Reply, { kind: 'events' }>;

async function wholeOf(ctx: GatewayContext, { tenant, signal }: ChatCall, { chat, remember }: Chatting): Promise<JsonReply> {
  const end = await ctx.feed.waitUntilSettled({ tenant, run: chat.run }, signal);
  if (end === undefined) {
    const code = 'gateway.closing';
    const message = `The gateway stops before run ${chat.run} has ended; it goes on. Ask for /api/v1/runs/${chat.run} later.`;
    throw new RequestRefusedError(503, code, message, { remedy: 'retry', retryAfterSeconds: 5 });
  }
  const completion = completionOf(chat, end, end.state === 'waiting' ? waitingOf(ctx, { tenant, chat }) : []);
  await remember(end.output);
  return { kind: 'json', body: completion };
}

function streamOf(ctx: GatewayContext, call: ChatCall, { chat, remember }: Chatting): EventsReply {
  const { tenant, body, requestId, signal } = call;
  const events = ctx.feed.follow({ tenant, run: chat.run }, 0, signal);
  const hasUsage = body.stream_options?.include_usage === true;
  const waiting = (): readonly string[] => waitingOf(ctx, { tenant, chat });
  return { kind: 'events', frames: chatFrames({ chat, events, hasUsage, requestId, waiting, onEnd: remember }) };
}

function waitingOf(
  ctx: GatewayContext,
  { tenant, chat }: { readonly tenant: ChatCall['tenant']; readonly chat: ChatRun },
): readonly string[] {
  return ctx
    .stores(tenant)
    .approvals.list({ tenant, run: chat.run, state: 'open' }, ctx.clock.now())
    .map(({ id }) => id);
}
