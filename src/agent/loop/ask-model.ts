import type { LoopContext } from './pipelined.ts';
import { hashJson } from '../../contracts/json.ts';
import { ModelError } from '../../contracts/model-error.ts';
import type { ModelAnswer, ModelRequest } from '../../contracts/model.ts';
import { AskHumanError } from '../../contracts/errors.ts';
import type { RedactedStream } from '../../governance/redact.ts';
import { answerEvent, errorEvent } from '../ledger-events.ts';
import type { AgentRun } from '../run-context.ts';
import type { Spent } from './limits.ts';
import { recordEvent } from './record.ts';
import type { Recorded } from './recorded.ts';

export interface AskModelInput {
  readonly run: AgentRun;
  readonly turn: number;
  readonly request: ModelRequest;
  readonly recorded: Recorded;
  readonly spent: Spent;
  readonly signal: AbortSignal;
}

/**
 * One model call of a run.
 *
 * Contract: an answer that the journal holds is never asked for again; the request's hash must equal the recorded one;
 * the answer is redacted before anything else sees it, and durable before it is acted on.
 * @throws ModelError when the model gave no usable answer; AskHumanError when the request differs from the recorded one.
 */
export async function askModel(ctx: LoopContext, input: AskModelInput): Promise<ModelAnswer> {
  const { run, turn, request, recorded } = input;
  const hash = hashJson(request);
  const earlier = recorded.request.get(turn);
  ctx.observe?.asked(turn, hash);
  if (earlier !== undefined && earlier.request !== hash && ctx.observe === undefined) throw divergedError(turn, earlier.request, hash);
  const answered = recorded.answer.get(turn);
  if (answered !== undefined) {
    account(input.spent, answered.answer, answered.costMicroUsd);
    return answered.answer;
  }
  if (earlier !== undefined && !recorded.failed.has(turn))
    ctx.emit({ type: 'notice', message: `The answer to model call ${turn} was lost in the interruption; it is asked for again.` });
  await Promise.all([
    ctx.journal.append({ kind: 'model.request', turn, request: hash }),
    recordEvent(ctx, run, { type: 'model.call', turn, model: run.model, request: hash }),
  ]);
  await ctx.settled();
  return await callModel(ctx, input, hash);
}

function divergedError(turn: number, recorded: string, now: string): AskHumanError {
  return new AskHumanError(
    'agent.replay-diverged',
    `Model call ${turn} would send another prompt (${now.slice(0, 12)}) than the one recorded (${recorded.slice(0, 12)}): another build or a changed record assembles it differently. Continue with the build that began the run, or start a new run.`,
  );
}

async function callModel(ctx: LoopContext, input: AskModelInput, hash: ReturnType<typeof hashJson>): Promise<ModelAnswer> {
  const { run, turn, request, signal } = input;
  const startedMs = ctx.clock.now();
  const newStream = (): RedactedStream => ctx.redactor.stream((delta) => ctx.emit({ type: 'text', delta }));
  let stream = newStream();
  try {
    const call = await ctx.model.call(request, {
      signal,
      onText: (delta) => stream.push(delta),
      onRetry: (retry) => {
        stream = newStream();
        ctx.emit({ type: 'text.discarded', reason: retry.reason });
        ctx.emit({ type: 'model.retry', ...retry });
      },
    });
    stream.flush();
    const answer = redactAnswer(ctx, call.answer);
    await recordAnswer(ctx, input, {
      answer,
      hash,
      startedMs,
      attempts: call.attempts,
      ...(call.costMicroUsd === undefined ? {} : { costMicroUsd: call.costMicroUsd }),
    });
    account(input.spent, answer, call.costMicroUsd);
    return answer;
  } catch (error) {
    if (error instanceof ModelError) await recordError(ctx, { run, turn, hash, error });
    throw error;
  }
}

interface AnswerFacts {
  readonly answer: ModelAnswer;
  readonly hash: ReturnType<typeof hashJson>;
  readonly startedMs: number;
  readonly attempts: number;
  readonly costMicroUsd?: number;
}

async function recordAnswer(ctx: LoopContext, { run, turn }: AskModelInput, facts: AnswerFacts): Promise<void> {
  const { answer, hash, attempts } = facts;
  const cost = facts.costMicroUsd === undefined ? {} : { costMicroUsd: facts.costMicroUsd };
  const atMs = ctx.clock.now();
  const durationMs = Math.max(0, atMs - facts.startedMs);
  const entry = { kind: 'model.answer', turn, atMs, durationMs, attempts, answer, ...cost } as const;
  await Promise.all([ctx.journal.append(entry), recordEvent(ctx, run, answerEvent(entry, hash))]);
}

async function recordError(
  ctx: LoopContext,
  {
    run,
    turn,
    hash,
    error,
  }: { readonly run: AgentRun; readonly turn: number; readonly hash: ReturnType<typeof hashJson>; readonly error: ModelError },
): Promise<void> {
  const message = ctx.redactor.text(error.publicMessage);
  const { code } = error;
  const entry = { kind: 'model.error', turn, atMs: ctx.clock.now(), code, message, isTransient: error.remedy === 'retry' } as const;
  await Promise.all([ctx.journal.append(entry), recordEvent(ctx, run, errorEvent(entry, hash))]);
}

function redactAnswer(ctx: LoopContext, answer: ModelAnswer): ModelAnswer {
  return {
    ...answer,
    text: ctx.redactor.text(answer.text),
    toolCalls: answer.toolCalls.map((call) => ({
      ...call,
      name: ctx.redactor.text(call.name),
      argumentsText: ctx.redactor.jsonText(call.argumentsText),
    })),
  };
}

function account(spent: Spent, answer: ModelAnswer, costMicroUsd: number | undefined): void {
  spent.turns += 1;
  spent.inputTokens += answer.usage?.inputTokens ?? 0;
  spent.outputTokens += answer.usage?.outputTokens ?? 0;
  if (costMicroUsd === undefined) spent.isCostKnown = false;
  else spent.costMicroUsd += costMicroUsd;
}
