import { secretSpellings } from '../secret-spellings.ts';
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
      for (const text of secretSpellings(part)) if (text.length >= minSecretLength && !forms.has(text)) forms.set(text, name);
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
    return spans.length < 2 ? spans : mergeSpans(spans);
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
