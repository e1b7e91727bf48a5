import { normalizeText, occursAt } from './whole.ts';

/**
 * A result's text without its structured values, each taken out once for each time that the data holds it: what is
 * left is what free text says, so that a value named there a second time is seen to be named.
 */
export function residualText(raw: string, values: readonly string[]): string {
  const text = normalizeText(raw);
  const kept: string[] = [];
  let from = 0;
  for (const value of values.map(normalizeText)) {
    const at = value === '' ? -1 : nextWhole(text, value, from);
    if (at < 0) continue;
    kept.push(text.slice(from, at));
    from = at + value.length;
  }
  kept.push(text.slice(from));
  return kept.join(' ');
}

function nextWhole(text: string, value: string, from: number): number {
  let at = text.indexOf(value, from);
  while (at >= 0 && !occursAt(text, value, at)) at = text.indexOf(value, at + 1);
  return at;
}
