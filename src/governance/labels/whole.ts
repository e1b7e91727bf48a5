/** Made when it is needed: its classes cost time that a run without tool calls has no use for. */
const word = (): RegExp => /[\p{L}\p{N}\p{M}_]/u;
/** Signs that hold two words together into one value. */
const joiner = /[.@\-/:+%#~&=?]/;
/** Signs before a word that are no part of a value: #channel and @name are named with and without them. */
const mark = /[#@]/;

export function normalizeText(text: string): string {
  return text.normalize('NFC').toLowerCase().replace(/\s+/gu, ' ').trim();
}

/** Whether the normalized value stands at that place of a normalized text with a boundary on both sides. */
export function occursAt(text: string, value: string, at: number): boolean {
  return at >= 0 && text.startsWith(value, at) && startsWhole(text, at) && endsWhole(text, at + value.length);
}

/** Nothing before the place that belongs to the same name. */
function startsWhole(text: string, at: number): boolean {
  const before = text[at - 1];
  if (before === undefined) return true;
  if (isWordEnd(text, at)) return false;
  if (!joiner.test(before)) return true;
  const further = text[at - 2];
  if (/https?:\/\/$/.test(text.slice(Math.max(0, at - 8), at))) return true;
  return mark.test(before) && (further === undefined || !(isWordEnd(text, at - 1) || joiner.test(further)));
}

function isWordEnd(text: string, at: number): boolean {
  const low = text.charCodeAt(at - 1);
  const isPair = low >= 0xdc00 && low <= 0xdfff;
  return word().test(isPair ? text.slice(at - 2, at) : (text[at - 1] ?? ' '));
}

/** Nothing after the place that belongs to the same name; signs that end a sentence do not. */
function endsWhole(text: string, end: number): boolean {
  let at = end;
  if (text[at] === ',' && /\d/.test(text[at - 1] ?? '') && /\d/.test(text[at + 1] ?? '')) return false;
  while (at < text.length && joiner.test(text[at] ?? '')) at += 1;
  return at >= text.length || !word().test(String.fromCodePoint(text.codePointAt(at) ?? 32));
}
