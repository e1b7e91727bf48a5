import type { JsonValue } from '../../contracts/json.ts';

/** Text, numbers, booleans and null at the ends of a value. */
export function leavesOf(value: JsonValue): readonly JsonValue[] {
  if (value === null || typeof value !== 'object') return [value];
  if (Array.isArray(value)) return value.flatMap((element: JsonValue) => leavesOf(element));
  return Object.values(value as { readonly [key: string]: JsonValue }).flatMap((element) => leavesOf(element));
}

/**
 * The ways in which a person would write a value. No way at all means that the value selects nothing: empty text,
 * true, false and null. (Which of two a flag should be is a matter for `args` of a grant.)
 */
export function spellingsOf(leaf: JsonValue): readonly string[] {
  if (typeof leaf === 'number') return numberSpellings(leaf);
  if (typeof leaf !== 'string' || leaf.trim() === '') return [];
  const text = leaf.trim();
  const bare = text.replace(/^https?:\/\//i, '').replace(/\/$/, '');
  const asNumber = /^\d+(\.\d+)?$/.test(text) ? numberSpellings(Number(text)) : [];
  return [...new Set([text, bare, ...asNumber])].filter((spelling) => spelling !== '');
}

function numberSpellings(value: number): readonly string[] {
  if (!Number.isFinite(value)) return [String(value)];
  const plain = String(value);
  return [...new Set([plain, value.toFixed(1), value.toFixed(2), grouped(plain), grouped(value.toFixed(2))])].filter(
    (spelling) => Number(spelling.replaceAll(',', '')) === value,
  );
}

/** 1234567.5 as 1,234,567.5 */
function grouped(plain: string): string {
  const [whole = '', fraction] = plain.split('.');
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return fraction === undefined ? groups : `${groups}.${fraction}`;
}
