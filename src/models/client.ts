import type {
  CompletedCall,
  ModelAnswer,
  ModelCallOptions,
  ModelClient,
  ModelFacts,
  ModelProvider,
  ModelRequest,
} from '../contracts/model.ts';
import { ModelError } from '../contracts/model-error.ts';
import { publicReasonOf } from '../contracts/errors.ts';
import { costMicroUsd, estimateUsage, type Price } from './prices.ts';
import { defaultRetry, nextWaitMs, type RetryPolicy } from './retry.ts';

export { costMicroUsd, estimateUsage, type Price, type RetryPolicy };

export interface ModelClientOptions {
  readonly provider: ModelProvider;
  readonly facts: ModelFacts;
  /** Absent: the cost of a call is unknown. */
  readonly price?: Price | undefined;
  readonly retry?: Partial<RetryPolicy>;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random?: () => number;
}

/**
 * One chosen model with retries and price.
 *
 * Contract: only failures that may pass are tried again, a bounded number of times; a stream that broke is asked for
 * again as a whole, and `onRetry` then means that the text streamed so far is void; an aborted signal ends the call
 * at once with its reason, also between two attempts; call ids of an answer are unique within the request's history.
 */
export function createModelClient(options: ModelClientOptions): ModelClient {
  return { facts: options.facts, call: (request, callOptions) => callModel(options, request, callOptions) };
}

async function callModel(options: ModelClientOptions, request: ModelRequest, callOptions: ModelCallOptions): Promise<CompletedCall> {
  const { signal, onRetry } = callOptions;
  const policy = { ...defaultRetry, ...options.retry, random: options.random ?? Math.random }; // sast-ok: jitter of a wait, nothing depends on it
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const answer = withUniqueCallIds(request, await options.provider.generate(request, callOptions));
      return { answer, attempts: attempt, ...costOf(options.price, request, answer) };
    } catch (thrown) {
      signal.throwIfAborted();
      const waitMs = nextWaitMs(thrown, attempt, policy);
      if (waitMs === undefined) throw attempt === 1 ? thrown : afterAttempts(thrown, attempt);
      onRetry?.({ attempt, waitMs, reason: publicReasonOf(thrown) });
      await (options.sleep ?? sleepUntil)(waitMs, signal);
    }
  }
}

function costOf(price: Price | undefined, request: ModelRequest, answer: ModelAnswer): { costMicroUsd?: number } {
  if (price === undefined) return {};
  return { costMicroUsd: costMicroUsd(answer.usage ?? estimateUsage(request, answer), price) };
}

function afterAttempts(thrown: unknown, attempts: number): unknown {
  if (!(thrown instanceof ModelError)) return thrown;
  const { errorClass, status, retryAfterMs } = thrown;
  return new ModelError(
    thrown.code,
    `${thrown.message} (${attempts} attempts)`,
    { errorClass, ...(status === undefined ? {} : { status }), ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
    { cause: thrown },
  );
}

function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    function onAbort(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Ids become names of records: nothing but letters, digits, `_` and `-`. */
const usableId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** An id that is missing, unusable or taken gets one from its position: the same answer always gets the same ids. */
function withUniqueCallIds(request: ModelRequest, answer: ModelAnswer): ModelAnswer {
  if (answer.toolCalls.length === 0) return answer;
  const taken = new Set<string>();
  let turn = 1;
  for (const message of request.messages) {
    if (message.role !== 'assistant') continue;
    turn += 1;
    for (const call of message.toolCalls) taken.add(call.id);
  }
  const toolCalls = answer.toolCalls.map((call, index) => {
    let id = call.id;
    for (let n = index + 1; !usableId.test(id) || taken.has(id); n += answer.toolCalls.length) id = `call_${turn}_${n}`;
    taken.add(id);
    return { ...call, id };
  });
  return { ...answer, toolCalls };
}
