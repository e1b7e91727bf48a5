import type { JsonObject } from './json.ts';

export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
}

export interface ModelToolCall {
  /** The provider's id, unique within the run. */
  readonly id: string;
  readonly name: string;
  /** The arguments as the model wrote them; not yet parsed, perhaps not JSON. */
  readonly argumentsText: string;
}

export type Message =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly toolCalls: readonly ModelToolCall[] }
  | { readonly role: 'tool'; readonly callId: string; readonly name: string; readonly text: string; readonly isError: boolean };

/** One request to a model, complete: its canonical JSON is what the journal hashes. */
export interface ModelRequest {
  /** `provider/name`, e.g. `openai/gpt-4o-mini`. */
  readonly model: string;
  readonly system: string;
  readonly messages: readonly Message[];
  readonly tools: readonly ToolSpec[];
  readonly maxOutputTokens: number;
  readonly temperature?: number;
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number;
}

export interface ModelAnswer {
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly stop: 'end' | 'tool' | 'length' | 'refusal';
  /** Absent when the provider does not say. */
  readonly usage?: Usage;
}

export interface ModelCallOptions {
  readonly signal: AbortSignal;
  /** The answer's text as it arrives. */
  readonly onText?: (delta: string) => void;
  /** Called before each retry with the reason, so that a person sees why it takes long. */
  readonly onRetry?: (retry: { readonly attempt: number; readonly waitMs: number; readonly reason: string }) => void;
}

/** What may be shown of a provider: the key is masked. */
export interface ProviderStatus {
  readonly name: string;
  readonly isScripted: boolean;
  readonly isConfigured: boolean;
  /** Origin and path; absent for a scripted model. */
  readonly baseUrl?: string;
  /** Masked, e.g. `sk-…abcd`; absent when none is held. */
  readonly key?: string;
}

/** How one provider speaks. Retries, budgets and choice are not its business. */
export interface ModelProvider {
  readonly name: string;
  /** A scripted model says so in every output. */
  readonly isScripted: boolean;
  /** Whether a call can be tried at all: a key is held where one is needed. No I/O. */
  isConfigured(): boolean;
  status(): ProviderStatus;
  /** Asks the provider for something that costs no tokens. A failure is a value here: health is what was asked. */
  checkHealth(signal: AbortSignal): Promise<{ readonly isHealthy: boolean; readonly detail: string }>;
  /** @throws ModelError */
  generate(request: ModelRequest, options: ModelCallOptions): Promise<ModelAnswer>;
}

export interface CompletedCall {
  readonly answer: ModelAnswer;
  /** Millionths of a US dollar; undefined when the model has no price. */
  readonly costMicroUsd?: number;
  /** How many requests were sent, retries included. */
  readonly attempts: number;
}

export interface ModelFacts {
  /** `provider/name` as resolved. */
  readonly model: string;
  readonly isScripted: boolean;
  /** Tokens that prompt and answer share. */
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  /** Whether calls have a known price (0 counts as known). */
  readonly hasPrice: boolean;
  /** Its price is 0. */
  readonly isFree?: boolean;
}

/** What an agent run sees of all models: one model, chosen, with retries and price. */
export interface ModelClient {
  readonly facts: ModelFacts;
  /** @throws ModelError after bounded retries, or the signal's reason. */
  call(request: ModelRequest, options: ModelCallOptions): Promise<CompletedCall>;
}

/** The classes a caller may branch on. */
export type ModelErrorClass = 'transient_quota' | 'transient_server' | 'transient_network' | 'non_transient';
