import { reasonOf } from '../../contracts/errors.ts';
import { ModelError } from '../../contracts/model-error.ts';
import type { ModelErrorClass } from '../../contracts/model.ts';

/** 429 is quota, 500–504 the server, everything else will not pass by itself. A wire may know better of its own extra codes. */
export function classOfStatus(status: number): ModelErrorClass {
  if (status === 429) return 'transient_quota';
  if (status >= 500 && status <= 504) return 'transient_server';
  return 'non_transient';
}

/** What is safe and useful to show of a URL: no credentials, no query. */
export function shownUrl(url: URL): string {
  return url.origin + url.pathname;
}

export function networkError(provider: string, url: URL, thrown: unknown): ModelError {
  const code = (thrown as NodeJS.ErrnoException | undefined)?.code;
  const isAddress = code === 'ENOTFOUND' || code === 'ECONNREFUSED';
  return new ModelError(
    'models.unreachable',
    `Provider ${provider} cannot be reached at ${shownUrl(url)}: ${code ?? reasonOf(thrown)}. ${isAddress ? 'Check that the server runs and that the base URL in llm.yaml or the environment is right.' : 'Check the network and try again.'}`,
    { errorClass: 'transient_network' },
    { cause: thrown },
  );
}

export function timeoutError(provider: string, url: URL, ms: number): ModelError {
  return new ModelError(
    'models.timeout',
    `Provider ${provider} sent nothing for ${ms / 1000} s: ${shownUrl(url)} accepted the request and then was silent. Try again, or raise firstByteSeconds or idleSeconds of the provider in llm.yaml.`,
    { errorClass: 'transient_network' },
  );
}

export function streamCutError(provider: string, thrown?: unknown): ModelError {
  const why =
    thrown === undefined
      ? 'the stream ended without a finish reason'
      : `the connection was lost (${(thrown as NodeJS.ErrnoException).code ?? reasonOf(thrown)})`;
  return new ModelError(
    'models.stream-cut',
    `The answer of provider ${provider} is incomplete: ${why}. Nothing of it was used; try again.`,
    { errorClass: 'transient_network' },
    { cause: thrown },
  );
}

export function badAnswerError(provider: string, why: string, cause?: unknown): ModelError {
  return new ModelError(
    'models.bad-answer',
    `Provider ${provider} answered with something that is not an answer: ${why}. Check that the base URL points to a server of this kind, or choose another model.`,
    { errorClass: 'non_transient' },
    { cause },
  );
}

export function tooLargeError(provider: string, maxBytes: number): ModelError {
  return new ModelError(
    'models.too-large',
    `The answer of provider ${provider} is larger than ${maxBytes} bytes: it was dropped to protect this process. Ask for less, or lower maxOutputTokens of the model in llm.yaml.`,
    { errorClass: 'non_transient' },
  );
}

interface StatusFacts {
  readonly status: number;
  /** The provider's own words, already without keys. */
  readonly said: string;
  readonly retryAfterMs?: number | undefined;
  /** The environment variable that holds the key, for the advice. */
  readonly keyEnv?: string | undefined;
  /** A wire's own knowledge, where the status alone says too little. */
  readonly errorClass?: ModelErrorClass;
}

/** An answer whose status is not 2xx, as an error that says what to do. */
export function statusError(provider: string, facts: StatusFacts): ModelError {
  const { status, said, retryAfterMs } = facts;
  const errorClass = facts.errorClass ?? classOfStatus(status);
  const [code, advice] = adviceFor(status, errorClass, facts.keyEnv);
  return new ModelError(code, `Provider ${provider} answered ${status}: ${said === '' ? 'it gave no reason' : said}. ${advice}`, {
    errorClass,
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function adviceFor(status: number, errorClass: ModelErrorClass, keyEnv: string | undefined): readonly [code: string, advice: string] {
  if (errorClass === 'transient_quota') return ['models.rate-limited', 'Wait and try again, or raise the quota at the provider.'];
  if (errorClass === 'transient_server') return ['models.server-error', 'Try again later; the fault is on the provider’s side.'];
  if (status === 401 || status === 403)
    return ['models.key-refused', `Check the key in ${keyEnv ?? 'the variable that keyEnv in llm.yaml names'} and what it may do.`];
  if (status === 404) return ['models.not-found', 'Check the model’s name and the base URL.'];
  if (status >= 300 && status < 400)
    return ['models.redirect', 'Redirects are not followed, because the key would travel with them: write the final address as base URL.'];
  return ['models.bad-request', 'Check the model’s name and its limits in llm.yaml.'];
}
