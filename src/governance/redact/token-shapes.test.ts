import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { plantedSecrets } from './planted.ts';
import { findTokens, tokenShapes } from './token-shapes.ts';

/** What tokens begin with, in all their kinds, and what stands around them. */
const starts = [
  'sk-ant-|sk-|AKIA|ASIA|ABIA|ACCA|ghp_|gho_|ghu_|ghs_|ghr_|github_pat_|GR1348941|glpat-|glptt-|gldt-|glrt-|glcbt-|glft-|glimt-|glagent-',
  'gloas-|glsoat-|glffct-|glsbt-|xoxb-|xoxp-|xoxs-|xapp-1-|hooks.slack.com/services/|/api/webhooks/1234567890123456/|AIza|GOCSPX-|ya29.',
  'sk_live_|rk_test_|whsec_|clh_|npm_|pypi-|hf_|SG.abcdefgh12345678.|SK|12345678:AA|doo_v1_|dop_v1_|dor_v1_|shpat_|shpca_|shppa_|shpss_',
  'hvs.|hvb.|AGE-SECRET-KEY-1|gsk_|xai-|eyJhbGciOi.eyJzdWIiOi.|postgres://me:|Bearer |basic |BEARER |Basic\t|| |\n|gh|do|@host|x',
].flatMap((line) => line.split('|'));
const letters = ['0123456789abcdef', 'ABCDEFGHJKLMNPQR0123456789', 'abcXYZ019', 'abcXYZ019_-'];
/** As long as tokens are, and a little less. */
const lengths = [0, 3, 15, 16, 20, 31, 32, 35, 36, 43, 50, 64, 70];
const body = fc
  .tuple(fc.constantFrom(...letters), fc.constantFrom(...lengths))
  .chain(([known, length]) => fc.string({ unit: fc.constantFrom(...known.split('')), minLength: length, maxLength: length }));
const texts = fc
  .array(fc.tuple(fc.constantFrom(...starts), body, fc.constantFrom('', ' ', '@', '"')), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.flat().join(''));

/** Every expression is run. */
function findWithoutHints(text: string): readonly (readonly [string, string])[] {
  for (const { name, regex } of tokenShapes) {
    const found = [...text.matchAll(regex)].map((match) => [name, match.groups?.['secret'] ?? match[0]] as const);
    if (found.length > 0) return found;
  }
  return [];
}

function agrees(text: string): readonly string[] {
  const found = findTokens(text).map(({ name, start, end }) => [name, text.slice(start, end)]);
  assert.deepEqual(found, findWithoutHints(text));
  return found.map(([name]) => String(name));
}

test('hints hide no token: in short and long texts that is found which all expressions find', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(texts, fc.constantFrom('', ' plain words. '.repeat(30)), (token, before) => {
      for (const name of agrees(before + token)) seen.add(name);
    }),
    { numRuns: 4000 },
  );

  assert.ok(seen.size > 12, [...seen].join());
});

test('hints hide none of the planted tokens', () => {
  const seen = new Set(plantedSecrets.flatMap(({ text }) => agrees(text)));

  assert.deepEqual(
    tokenShapes.map(({ name }) => name).filter((name) => !seen.has(name)),
    [],
  );
});

test('each beginning that a hint knows has an expression', () => {
  for (const { name, regex, hints } of tokenShapes) for (const hint of hints) assert.ok(hint !== '' && regex.global, name);
});
