import { randomBytes } from 'node:crypto';
import type { Secret } from './secrets.ts';
import { secretSpellings } from '../governance/secret-spellings.ts';
import { swapText } from './swap-bytes.ts';

/** One secret of one run, with what stands in its place outside the broker. */
export interface Placeholder {
  readonly secret: Secret;
  /** Looks like a key of its kind, so that clients take it; nobody can guess it, and it is worth nothing elsewhere. */
  readonly token: string;
}

type Pairs = readonly (readonly [find: string, put: string])[];

const prefixes = /^(?:sk-ant-|sk-proj-|sk-|gh[a-z]_|github_pat_|glpat-|xox[a-z]-|npm_|AKIA|AIza|pk_live_|sk_live_)/;

export function createPlaceholders(secrets: readonly Secret[]): readonly Placeholder[] {
  return secrets.map((secret) => ({ secret, token: tokenLike(secret.value) }));
}

/** Prefix of the kind, then 160 random bits in hexadecimal: no character of the value beyond its public prefix. */
function tokenLike(value: string): string {
  return `${prefixes.exec(value)?.[0] ?? ''}chp${randomBytes(20).toString('hex')}`;
}

/** Every spelling of every value, with the token in its place: for answers, on their way to whoever asked. */
export function hidingPairs(placeholders: readonly Placeholder[]): Pairs {
  const pairs = new Map<string, string>();
  for (const { secret, token } of placeholders) {
    for (const spelling of secretSpellings(secret.value)) if (spelling.length >= 8 && !pairs.has(spelling)) pairs.set(spelling, token);
  }
  return [...pairs];
}

/** Token to value, as text. */
export function revealingPairs(placeholders: readonly Placeholder[], encode: (value: string) => string = (value) => value): Pairs {
  return placeholders.map(({ secret, token }) => [token, encode(secret.value)]);
}

/**
 * A header's value with its tokens revealed. In `Basic` credentials they are looked for behind the base 64.
 * Undefined when it holds none.
 */
export function revealHeader(value: string, placeholders: readonly Placeholder[]): string | undefined {
  const pairs = revealingPairs(placeholders);
  const plain = swapText(value, pairs);
  if (plain !== value) return plain;
  const basic = /^(basic +)([A-Za-z0-9+/]+=*)$/i.exec(value);
  if (basic === null) return undefined;
  const inner = Buffer.from(basic[2] ?? '', 'base64').toString('utf8');
  const revealed = swapText(inner, pairs);
  return revealed === inner ? undefined : `${basic[1] ?? ''}${Buffer.from(revealed, 'utf8').toString('base64')}`;
}
