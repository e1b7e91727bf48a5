/**
 * Everything that a terminal or a browser would not show as itself: control characters, direction marks, characters
 * without width, tags, variation selectors, private use, unassigned and lone surrogates, and all spaces but the space.
 */
function hidden(): RegExp {
  // Made when a text needs it: its classes cost 2 ms.
  return /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu;
}
/** Most texts: nothing to look for. */
const plain = /^[\x20-\x7e]*$/;
const plainLines = /^[\t\n\x20-\x7e]*$/;

export interface VisibleOptions {
  /** Keeps line breaks and tabs, for text that is shown as a block. */
  readonly keepLines?: boolean;
}

/** Text for a person's eyes: each character that could deceive them becomes its code point, as ⟨U+202E⟩. */
export function makeVisible(text: string, options: VisibleOptions = {}): string {
  if ((options.keepLines === true ? plainLines : plain).test(text)) return text;
  return text.replace(hidden(), (character) => {
    if (options.keepLines === true && (character === '\n' || character === '\t')) return character;
    const code = character.codePointAt(0) ?? 0;
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

/** A JSON text that a terminal shows as it is: the same characters are escapes of JSON, so that it says the same. */
export function escapeHidden(json: string): string {
  if (plainLines.test(json) && !json.includes('\t')) return json;
  return json.replace(hidden(), (character) =>
    character === '\n' ? character : character.replaceAll(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}

/**
 * A warning about a host or word that mixes alphabets which look alike (pаypal with a Cyrillic а), or undefined.
 * Source: Unicode TS 39, the idea of "single script" without its tables.
 */
export function mixedScriptWarning(text: string): string | undefined {
  if (plainLines.test(text)) return undefined;
  const known = scripts();
  for (const word of text.match(/\p{L}+/gu) ?? []) {
    const found = known.filter(([, pattern]) => pattern.test(word)).map(([name]) => name);
    if (found.length > 1) return `${makeVisible(word)} mixes ${found.join(' and ')} letters, which can look alike.`;
  }
  return undefined;
}

const scripts = (): readonly (readonly [name: string, pattern: RegExp])[] => [
  ['Latin', /\p{Script=Latin}/u],
  ['Cyrillic', /\p{Script=Cyrillic}/u],
  ['Greek', /\p{Script=Greek}/u],
  ['Armenian', /\p{Script=Armenian}/u],
  ['Cherokee', /\p{Script=Cherokee}/u],
];
