import type { LlmConfig } from '../contracts/config.ts';
import { builtinProviders, ollamaBaseUrl, type Env } from './provider-table.ts';

export interface DetectContext {
  readonly env: Env;
  /** Names of the models that an Ollama at this base URL has; undefined when none answers in time. */
  readonly probe?: (baseUrl: string) => Promise<readonly string[] | undefined>;
}

export interface DetectedModels {
  /** For `model` in clawhold.yaml. */
  readonly model: string;
  /** For llm.yaml: names of variables, never keys. */
  readonly llm: LlmConfig;
  readonly isScripted: boolean;
  /** For people: what was found, what was written, and how to change it. */
  readonly sentence: string;
}

/** In the order of preference; the model is a small, cheap one of the provider. */
const byKey = [
  { provider: 'openai', model: 'gpt-4o-mini' },
  { provider: 'anthropic', model: 'claude-haiku-4-5' },
  { provider: 'mistral', model: 'mistral-small-latest' },
  { provider: 'moonshot', model: 'kimi-k2-turbo-preview' },
] as const;

/** What `init` finds on this machine. It sends no key anywhere and waits for Ollama at most 300 ms. */
export async function detectModels({ env, probe = probeOllama }: DetectContext): Promise<DetectedModels> {
  const keyed = byKey.filter(({ provider }) => env[builtinProviders[provider]?.keyEnv ?? '']?.trim());
  const ollamaModels = await probe(ollamaBaseUrl(env['OLLAMA_HOST']?.trim() || '127.0.0.1:11434'));
  const chosenOllama = ollamaModels?.[0];
  const providers: LlmConfig['providers'] = Object.fromEntries([
    ...keyed.map(({ provider }) => [provider, remoteProvider(provider)]),
    ...(ollamaModels === undefined ? [] : [['ollama', remoteProvider('ollama')]]),
  ]);
  const first = keyed[0];
  if (first !== undefined) {
    const keyEnv = builtinProviders[first.provider]?.keyEnv;
    return {
      model: `${first.provider}/${first.model}`,
      llm: { version: 1, providers },
      isScripted: false,
      sentence: `Found ${keyEnv} in the environment: agents use ${first.provider}/${first.model} unless --model or clawhold.yaml says otherwise.`,
    };
  }
  if (chosenOllama !== undefined) {
    return {
      model: `ollama/${chosenOllama}`,
      llm: { version: 1, providers },
      isScripted: false,
      sentence: `Found Ollama on this machine: agents use ollama/${chosenOllama} unless --model or clawhold.yaml says otherwise.`,
    };
  }
  return {
    model: 'scripted/demo',
    llm: { version: 1, providers: { ...providers, scripted: { wire: 'scripted' } } },
    isScripted: true,
    sentence: `Found no model (no key in the environment, ${ollamaModels === undefined ? 'no Ollama on this machine' : 'an Ollama without models'}): agents use scripted/demo, which plays a fixed script and understands nothing, until there is OPENAI_API_KEY, another provider's key, or Ollama.`,
  };
}

function remoteProvider(name: string): LlmConfig['providers'][string] {
  const builtin = builtinProviders[name];
  return { wire: builtin?.wire ?? 'openai', ...(builtin?.keyEnv === undefined ? {} : { keyEnv: builtin.keyEnv }) };
}

async function probeOllama(baseUrl: string): Promise<readonly string[] | undefined> {
  if (!URL.canParse(baseUrl)) return undefined;
  const { openConnection } = await import('./wire/connection.ts');
  const connection = openConnection({
    provider: 'ollama',
    baseUrl: new URL(baseUrl),
    key: undefined,
    keyEnv: undefined,
    isConfigured: true,
    headers: {},
    env: {},
  });
  try {
    return await connection.listModels('models', AbortSignal.timeout(300));
  } catch {
    // silent-ok: no Ollama is an answer
    return undefined;
  }
}
