import { normalizeText, occursAt } from './whole.ts';

/**
 * Texts, indexed so that "does this value occur whole?" costs by the value and not by the texts.
 *
 * A text is cut once into atoms: runs of letters, digits and the signs that join them (`a@b.co`, `docs/a.md`, `10.50`,
 * `ORDER-17`). A value occurs whole when it stands in a text with a boundary on both sides: `10` not in `100` or
 * `10.50`, `a@b.co` not in `a@b.com` or `a@b.co.uk`, `b.co` not in `a@b.co`. Case, Unicode form and the number of
 * spaces do not count; everything else does.
 */
export interface Corpus {
  /** Text in which any part may be trusted. */
  addText(text: string, source: string): void;
  /** A value that is trusted only as a whole: free words inside a field do not become names of their own. */
  addValue(value: string, source: string): void;
  /** The source of the first place where the value occurs whole. */
  find(value: string): string | undefined;
}

interface Place {
  readonly text: string;
  readonly at: number;
  readonly source: string;
}

interface Rarest {
  readonly found: readonly Place[];
  /** Where its atom begins in the value. */
  readonly at: number;
}

/** Looks for one value. A text of one word a million times would otherwise hold up the process at each argument of a call. */
const maxLooks = 10_000;

/** Made when it is needed: its classes cost time that a run without tool calls has no use for. */
const atom = (): RegExp => /[\p{L}\p{N}\p{M}_]+(?:[.@\-/:+%#~&=?]{1,3}[\p{L}\p{N}\p{M}_]+)*/gu;

/** `whenTooMany`: what is said of a value for which there are more places than may be looked at. */
export function newCorpus(whenTooMany: 'found' | 'absent'): Corpus {
  const places = new Map<string, Place[]>();
  const values = new Map<string, string>();

  function addText(raw: string, source: string): void {
    const text = normalizeText(raw);
    for (const match of text.matchAll(atom())) {
      for (const [key, at] of keysOf(match[0], match.index)) addPlace(key, { text, at, source });
    }
  }

  function addPlace(key: string, place: Place): void {
    const list = places.get(key);
    if (list === undefined) places.set(key, [place]);
    else list.push(place);
  }

  function find(raw: string): string | undefined {
    const value = normalizeText(raw);
    const known = values.get(value);
    if (known !== undefined || value === '') return known;
    const rarest = rarestIn(places, value);
    if (rarest === undefined) return undefined;
    for (const [looks, place] of rarest.found.entries()) {
      if (looks === maxLooks) return whenTooMany === 'found' ? place.source : undefined;
      if (occursAt(place.text, value, place.at - rarest.at)) return place.source;
    }
    return undefined;
  }

  return {
    addText,
    addValue: (raw, source) => {
      const value = normalizeText(raw);
      if (!values.has(value)) values.set(value, source);
    },
    find,
  };
}

/** An atom is found by itself; an address also by its host, because who names a page names its site. */
function keysOf(text: string, at: number): readonly (readonly [key: string, at: number])[] {
  const keys: (readonly [string, number])[] = [[text, at]];
  const scheme = /^https?:\/\//.exec(text)?.[0];
  if (scheme !== undefined) keys.push([text.slice(scheme.length), at + scheme.length]);
  return keys;
}

/** A value that occurs whole has each of its atoms there: the one with the fewest places leads to it soonest. */
function rarestIn(places: ReadonlyMap<string, readonly Place[]>, value: string): Rarest | undefined {
  let rarest: Rarest | undefined;
  for (const { 0: key, index: at } of value.matchAll(atom())) {
    const found = places.get(key) ?? [];
    if (rarest === undefined || found.length < rarest.found.length) rarest = { found, at };
    if (found.length === 0) break;
  }
  return rarest;
}
