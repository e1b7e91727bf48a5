/** A part of a text that must be hidden, and by which rule. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** Finds spans in order of their start, without overlap. Pure; sees one piece of text without markers in it. */
export type Finder = (text: string) => readonly Span[];

/** In order and without overlap: what overlaps becomes one span under the first one's name. */
export function mergeSpans(spans: readonly Span[]): readonly Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last === undefined || span.start >= last.end) merged.push(span);
    else if (span.end > last.end) merged[merged.length - 1] = { ...last, end: span.end };
  }
  return merged;
}
