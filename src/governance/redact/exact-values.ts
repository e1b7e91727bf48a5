import { mergeSpans, type Finder, type Span } from './find.ts';

export interface NamedSecret {
  readonly name: string;
  readonly value: string;
}

/** Shorter values, and shorter spellings, would hide ordinary words. */
export const minSecretLength = 8;
/** Lines of a multi-line secret count alone from here on: a tool may return a part of the file. */
const minLineLength = 20;

interface Form {
  readonly text: string;
  readonly name: string;
}

/** Every spelling in which a secret is looked for, longest first. */
export function secretForms(secrets: readonly NamedSecret[]): readonly Form[] {
  const forms = new Map<string, string>();
  for (const { name, value } of secrets) {
    for (const part of partsOf(value)) {
      for (const text of spellingsOf(part)) if (text.length >= minSecretLength && !forms.has(text)) forms.set(text, name);
    }
  }
  return [...forms].map(([text, name]) => ({ text, name })).toSorted((a, b) => b.text.length - a.text.length || (a.text < b.text ? -1 : 1));
}

/** Linear in the text for each form: native substring search, no regular expression. */
export function findExactValues(forms: readonly Form[]): Finder {
  return (text) => {
    const spans: Span[] = [];
    for (const form of forms) {
      for (let at = text.indexOf(form.text); at !== -1; at = text.indexOf(form.text, at + 1)) {
        const last = spans.at(-1);
        // Occurrences that overlap each other (aaaa in aaaaaa) grow one span, so that their number stays small.
        if (last !== undefined && last.name === form.name && at < last.end && at >= last.start)
          spans[spans.length - 1] = { ...last, end: Math.max(last.end, at + form.text.length) };
        else spans.push({ start: at, end: at + form.text.length, name: form.name });
      }
    }
    return mergeSpans(spans);
  };
}

function partsOf(value: string): readonly string[] {
  const trimmed = value.trim();
  if (trimmed.length < minSecretLength) return [];
  const lines = trimmed.split(/\r?\n/);
  if (lines.length === 1) return [trimmed];
  return [
    trimmed,
    lines.join('\n'),
    lines.join('\r\n'),
    ...lines.map((line) => line.trim()).filter((line) => line.length >= minLineLength && !isFrame(line)),
  ];
}

function isFrame(line: string): boolean {
  return /^-----(?:BEGIN|END) /.test(line.trim());
}

function spellingsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  const uri = encodeUri(value);
  const json = JSON.stringify(value).slice(1, -1);
  return [
    value,
    hex,
    hex.toUpperCase(),
    uri,
    uri.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    uri.replaceAll('%20', '+'),
    json,
    JSON.stringify(json).slice(1, -1),
    json.replaceAll('/', '\\/'),
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
    ...base64Spellings(bytes),
  ];
}

/** A lone surrogate has no URI spelling. */
function encodeUri(value: string): string {
  return value.isWellFormed() ? encodeURIComponent(value) : value;
}

/**
 * Base 64 of a value depends on where the value begins within a group of three bytes (`user:` + password shifts it):
 * all three, without the letters that the neighbours share. The standalone spelling keeps its padding off, so that
 * both padded and bare ones are found.
 */
function base64Spellings(bytes: Buffer): readonly string[] {
  const spellings: string[] = [];
  for (let shift = 0; shift < 3; shift += 1) {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const first = shift === 0 ? 0 : shift + 1;
    const total = shift + bytes.length;
    const whole = encoded.slice(first, Math.floor((total * 8) / 6));
    spellings.push(whole, whole.replaceAll('+', '-').replaceAll('/', '_'));
    if (shift === 0) spellings.push(encoded, encoded.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return spellings;
}
