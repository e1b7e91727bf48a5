import type { LlmConfig } from '../contracts/config.ts';
import { FixRequestError, reasonOf } from '../contracts/errors.ts';
import type { ModelClient, ModelFacts, ModelProvider } from '../contracts/model.ts';
import { createModelClient, type ModelClientOptions } from './client.ts';
import { priceOf } from './prices.ts';
import { builtinProviders, findProvider, providerNames, type Env, type ProviderEntry } from './provider-table.ts';

export interface OpenModelOptions {
  /** `provider/name`. The caller has asked flag, agent and config, in this order; absent is an error, never a default. */
  readonly ref?: string | undefined;
  readonly llm: LlmConfig | undefined;
  readonly env: Env;
  /** Scripts are found relative to it. */
  readonly homeDir: string;
  readonly retry?: ModelClientOptions['retry'];
}

/**
 * The model of that name, ready to be called. Nothing is sent.
 *
 * @throws FixRequestError when nothing of that name can be called: `models.no-model`, `models.bad-ref`,
 * `models.unknown-provider`, `models.no-key`, `models.bad-base-url`, `models.insecure-base-url`, `models.bad-script`
 */
export async function openModel(options: OpenModelOptions): Promise<ModelClient> {
  const { llm } = options;
  const ref = checkRef(options.ref, llm);
  const entry = findProvider(ref.slice(0, ref.indexOf('/')), llm, options.env);
  const own = llm?.models?.[ref];
  const isScripted = entry.wire === 'scripted';
  const { provider, isLocal } = isScripted
    ? { provider: await openScripted(ref, entry, options.homeDir), isLocal: true }
    : await openRemote(entry, options.env);
  const price = priceOf(ref, llm, isLocal);
  const facts: ModelFacts = {
    model: ref,
    isScripted,
    contextTokens: own?.contextTokens ?? entry.contextTokens,
    maxOutputTokens: own?.maxOutputTokens ?? Math.min(entry.maxOutputTokens, own?.contextTokens ?? Infinity),
    hasPrice: price !== undefined,
    isFree: price?.inputPer1M === 0 && price.outputPer1M === 0,
  };
  return createModelClient({ provider, facts, price, ...(options.retry === undefined ? {} : { retry: options.retry }) });
}

/** The exact values of every key that this process could send, for the redactor: also of providers not in use. */
export function secretsOf(llm: LlmConfig | undefined, env: Env): readonly { readonly name: string; readonly value: string }[] {
  const own = Object.values(llm?.providers ?? {}).flatMap(({ keyEnv }) => keyEnv ?? []);
  const builtin = Object.values(builtinProviders).flatMap(({ keyEnv }) => keyEnv ?? []);
  return [...new Set([...own, ...builtin])].toSorted().flatMap((name) => (env[name]?.trim() ? [{ name, value: env[name].trim() }] : []));
}

function checkRef(ref: string | undefined, llm: LlmConfig | undefined): string {
  if (ref === undefined) {
    throw new FixRequestError(
      'models.no-model',
      'No model is chosen: neither --model nor the agent nor clawhold.yaml names one. Add --model PROVIDER/NAME, for example openai/gpt-4o-mini, or scripted/demo to try without a model.',
    );
  }
  if (!/^[a-z][a-z0-9-]*\/\S+$/.test(ref)) {
    throw new FixRequestError(
      'models.bad-ref',
      `${JSON.stringify(ref)} is not a model: it must be PROVIDER/NAME. Providers are ${providerNames(llm).join(', ')}; write for example openai/gpt-4o-mini.`,
    );
  }
  return ref;
}

async function openRemote(entry: ProviderEntry, env: Env): Promise<{ provider: ModelProvider; isLocal: boolean }> {
  const isAnthropic = entry.wire === 'anthropic';
  const [{ openConnection }, { checkKey, keyHeaders }, createProvider] = await Promise.all([
    import('./wire/connection.ts'),
    import('./wire/keys.ts'),
    isAnthropic
      ? import('./anthropic.ts').then((wire) => wire.createAnthropicProvider)
      : import('./openai.ts').then((wire) => wire.createOpenAiProvider),
  ]);
  const { baseUrl, key, keyEnv } = entry;
  if (baseUrl === undefined) throw new TypeError('A provider with a wire has a base URL.');
  const problem = checkKey(entry, baseUrl);
  if (problem !== undefined) throw problem;
  const connection = openConnection({
    provider: entry.name,
    baseUrl,
    key,
    keyEnv,
    isConfigured: true,
    headers: keyHeaders(entry),
    firstByteMs: entry.firstByteMs,
    idleMs: entry.idleMs,
    env,
    ...(isAnthropic ? { overloadedStatus: 529 } : {}),
  });
  return { provider: createProvider(connection), isLocal: connection.isLocal };
}

async function openScripted(ref: string, entry: ProviderEntry, homeDir: string): Promise<ModelProvider> {
  const { createScriptedProvider, parseScript } = await import('./scripted.ts');
  if (entry.script !== undefined)
    return createScriptedProvider(entry.name, parseScript(await readScript(homeDir, entry.script), entry.script));
  const { builtinScripts } = await import('./scripts/builtin.ts');
  const name = ref.slice(ref.indexOf('/') + 1);
  const script = Object.hasOwn(builtinScripts, name) ? builtinScripts[name] : undefined;
  if (script !== undefined) return createScriptedProvider(entry.name, script);
  throw new FixRequestError(
    'models.unknown-script',
    `There is no built-in script ${JSON.stringify(name)}: known are ${Object.keys(builtinScripts).join(', ')}. Name one of them, or give the provider a script file in llm.yaml.`,
  );
}

async function readScript(homeDir: string, file: string): Promise<unknown> {
  const { readFile } = await import('node:fs/promises');
  const path = await import('node:path');
  try {
    const text = await readFile(path.resolve(homeDir, file), 'utf8');
    return file.endsWith('.json') ? JSON.parse(text) : (await import('yaml')).parse(text);
  } catch (cause) {
    throw new FixRequestError(
      'models.bad-script',
      `The script ${file} cannot be read: ${reasonOf(cause)}. Correct the file, or \`script\` in llm.yaml.`,
      { cause },
    );
  }
}
