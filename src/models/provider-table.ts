import type { LlmConfig } from '../contracts/config.ts';
import { FixRequestError } from '../contracts/errors.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** A provider as it is used: from llm.yaml, from what is built in, and from the environment, in this order. */
export interface ProviderEntry {
  readonly name: string;
  readonly wire: 'openai' | 'anthropic' | 'scripted';
  /** Absent for a scripted one. */
  readonly baseUrl?: URL;
  readonly keyEnv?: string;
  readonly key?: string;
  readonly script?: string;
  readonly firstByteMs?: number;
  readonly idleMs?: number;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
}

interface Builtin {
  readonly wire: ProviderEntry['wire'];
  readonly baseUrl?: string;
  readonly baseEnv?: string;
  readonly keyEnv?: string;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
}

/** The variables are the ones that other tools read. Sizes are safe defaults; llm.yaml says them per model. */
export const builtinProviders: Readonly<Record<string, Builtin>> = {
  openai: {
    wire: 'openai',
    baseUrl: 'https://api.openai.com/v1',
    baseEnv: 'OPENAI_BASE_URL',
    keyEnv: 'OPENAI_API_KEY',
    contextTokens: 128_000,
    maxOutputTokens: 8_192,
  },
  anthropic: {
    wire: 'anthropic',
    baseUrl: 'https://api.anthropic.com',
    baseEnv: 'ANTHROPIC_BASE_URL',
    keyEnv: 'ANTHROPIC_API_KEY',
    contextTokens: 200_000,
    maxOutputTokens: 8_192,
  },
  mistral: {
    wire: 'openai',
    baseUrl: 'https://api.mistral.ai/v1',
    baseEnv: 'MISTRAL_BASE_URL',
    keyEnv: 'MISTRAL_API_KEY',
    contextTokens: 128_000,
    maxOutputTokens: 8_192,
  },
  moonshot: {
    wire: 'openai',
    baseUrl: 'https://api.moonshot.ai/v1',
    baseEnv: 'MOONSHOT_BASE_URL',
    keyEnv: 'MOONSHOT_API_KEY',
    contextTokens: 128_000,
    maxOutputTokens: 8_192,
  },
  // Ollama cuts the beginning of a longer prompt off without a word.
  ollama: { wire: 'openai', baseUrl: 'http://127.0.0.1:11434/v1', baseEnv: 'OLLAMA_HOST', contextTokens: 8_192, maxOutputTokens: 2_048 },
  scripted: { wire: 'scripted', contextTokens: 128_000, maxOutputTokens: 8_192 },
};

/** For a provider that only llm.yaml knows. */
const unknownSizes = { contextTokens: 32_768, maxOutputTokens: 4_096 };

export function providerNames(llm: LlmConfig | undefined): readonly string[] {
  return [...new Set([...Object.keys(llm?.providers ?? {}), ...Object.keys(builtinProviders)])].toSorted();
}

/** @throws FixRequestError `models.unknown-provider`, `models.bad-base-url` */
export function findProvider(name: string, llm: LlmConfig | undefined, env: Env): ProviderEntry {
  const own = Object.hasOwn(llm?.providers ?? {}, name) ? llm?.providers[name] : undefined;
  const builtin = Object.hasOwn(builtinProviders, name) ? builtinProviders[name] : undefined;
  const wire = own?.wire ?? builtin?.wire;
  if (wire === undefined) {
    throw new FixRequestError(
      'models.unknown-provider',
      `There is no provider ${JSON.stringify(name)}: neither llm.yaml nor Clawhold itself has one of that name. Known are ${providerNames(llm).join(', ')}; add yours to llm.yaml with its baseUrl.`,
    );
  }
  const builtinPart = builtin?.wire === wire ? builtin : undefined;
  const keyEnv = own?.keyEnv ?? (own?.baseUrl === undefined ? builtinPart?.keyEnv : undefined);
  const key = keyEnv === undefined ? undefined : env[keyEnv]?.trim() || undefined;
  return {
    name,
    wire,
    ...(wire === 'scripted' ? {} : { baseUrl: baseUrlOf(name, own?.baseUrl, { builtin: builtinPart, env }) }),
    ...(keyEnv === undefined ? {} : { keyEnv }),
    ...(key === undefined ? {} : { key }),
    ...(own?.script === undefined ? {} : { script: own.script }),
    ...(own?.firstByteSeconds === undefined ? {} : { firstByteMs: own.firstByteSeconds * 1000 }),
    ...(own?.idleSeconds === undefined ? {} : { idleMs: own.idleSeconds * 1000 }),
    contextTokens: builtinPart?.contextTokens ?? unknownSizes.contextTokens,
    maxOutputTokens: builtinPart?.maxOutputTokens ?? unknownSizes.maxOutputTokens,
  };
}

function baseUrlOf(name: string, own: string | undefined, fallback: { readonly builtin: Builtin | undefined; readonly env: Env }): URL {
  const { baseEnv, baseUrl } = fallback.builtin ?? {};
  const fromEnv = baseEnv === undefined ? undefined : fallback.env[baseEnv]?.trim() || undefined;
  const text = own ?? (fromEnv !== undefined && baseEnv === 'OLLAMA_HOST' ? ollamaBaseUrl(fromEnv) : fromEnv) ?? baseUrl;
  const where = own === undefined && fromEnv !== undefined ? `${baseEnv}` : `baseUrl of provider ${name} in llm.yaml`;
  if (text === undefined)
    throw badBaseUrl(`Provider ${name} has no base URL: it is not built in, and llm.yaml gives none. Write baseUrl there.`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw badBaseUrl(`The ${where} is no http or https URL, so no server can be reached. Correct it.`);
  if (url.username !== '' || url.password !== '') {
    throw badBaseUrl(
      `The ${where} holds a user name or password, which would be shown wherever the URL is. Take it out and name a variable with keyEnv.`,
    );
  }
  return url;
}

/** OLLAMA_HOST is made for the server: a bare host or port, perhaps "every address", no path. */
export function ollamaBaseUrl(host: string): string {
  const withScheme = /^https?:\/\//i.test(host) ? host : `http://${host.startsWith(':') ? '127.0.0.1' : ''}${host}`;
  if (!URL.canParse(withScheme)) return withScheme;
  const url = new URL(withScheme);
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1';
  const isBare = !/^https?:\/\//i.test(host);
  if (url.port === '' && isBare) url.port = '11434';
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith('/v1') ? path : `${path}/v1`;
  return url.href;
}

function badBaseUrl(message: string): FixRequestError {
  return new FixRequestError('models.bad-base-url', message);
}
