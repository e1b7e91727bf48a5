import { FixRequestError } from '../../contracts/errors.ts';
import type { ProviderEntry } from '../provider-table.ts';
import { isLocalhost } from './agent.ts';

/** How each wire carries the key. */
export function keyHeaders(entry: ProviderEntry): Readonly<Record<string, string>> {
  const version: Record<string, string> = entry.wire === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {};
  if (entry.key === undefined) return version;
  return entry.wire === 'anthropic' ? { ...version, 'x-api-key': entry.key } : { authorization: `Bearer ${entry.key}` };
}

/** What stands against sending to this provider; undefined when nothing does. */
export function checkKey(entry: ProviderEntry, baseUrl: URL): FixRequestError | undefined {
  const { name, key, keyEnv } = entry;
  if (key === undefined) {
    if (keyEnv === undefined || isLocalhost(baseUrl)) return undefined;
    return new FixRequestError(
      'models.no-key',
      `Provider ${name} needs a key, and the environment variable ${keyEnv} is not set. Set ${keyEnv}, or choose another model with --model.`,
    );
  }
  // A header value of other letters makes Node throw with the value in its message.
  if (!/^[\x21-\x7e]+$/.test(key)) {
    return new FixRequestError(
      'models.bad-key',
      `The key in ${keyEnv ?? 'the environment'} holds a space or a letter that no key has, so no request can carry it. Copy the key again.`,
    );
  }
  if (baseUrl.protocol === 'http:' && !isPrivateHost(baseUrl)) {
    return new FixRequestError(
      'models.insecure-base-url',
      `Provider ${name} would get its key unencrypted over the internet, because its base URL ${baseUrl.origin} begins with http. Use https.`,
    );
  }
  return undefined;
}

/** This machine, a private or overlay network, or a name that only a local resolver knows. */
function isPrivateHost(url: URL): boolean {
  const host = url.hostname;
  if (isLocalhost(url) || !/[.:]/.test(host) || /\.(?:local|internal|lan|home\.arpa)$/.test(host)) return true;
  if (/^\[f[cde]/.test(host)) return true;
  return /^(?:10|192\.168|172\.(?:1[6-9]|2[0-9]|3[01])|100\.(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])|169\.254)\.[0-9.]+$/.test(host);
}
