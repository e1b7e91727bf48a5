import { secretWord } from './assignments.ts';
import { privateKeysAcross } from './private-keys.ts';

export interface SettleContext {
  /** Spellings of exact secrets that hold a space, tab or line end: only these can lie across a cut. */
  readonly spacedForms: readonly string[];
  /** Custom patterns may match anything within one line. */
  readonly wholeLines: boolean;
}

/**
 * How much of the text may be redacted and shown now, so that no text to come can change it: a position right after
 * a space, tab or line end that nothing hidden can lie across.
 *
 * Why that suffices: token shapes hold no white space; assignments and headers lie on one line and hold a secret
 * word before their first space, so a line is cut only before its first secret word; private keys and exact values
 * with spaces are looked for explicitly.
 */
export function settledLength(text: string, context: SettleContext): number {
  const lineStart = text.lastIndexOf('\n') + 1;
  let cut = lineStart;
  if (!context.wholeLines) {
    const line = text.slice(lineStart);
    const word = secretWord.exec(line)?.index ?? line.length;
    cut += lastSpace(line.slice(0, word)) + 1;
  }
  const keyAcross = privateKeysAcross(text);
  // Each step back may land inside the other kind: until both agree.
  for (let before = -1; before !== cut && cut > 0;) {
    before = cut;
    const key = keyAcross(cut);
    if (key !== -1) cut = text.lastIndexOf('\n', key) + 1;
    for (const form of context.spacedForms) {
      const overlap = longestOverlap(text, cut, form);
      if (overlap > 0) cut = text.lastIndexOf('\n', cut - overlap - 1) + 1;
    }
  }
  return cut;
}

function lastSpace(text: string): number {
  return Math.max(text.lastIndexOf(' '), text.lastIndexOf('\t'));
}

/** The longest k for which the k letters before the cut begin the form. */
function longestOverlap(text: string, cut: number, form: string): number {
  for (let k = Math.min(form.length - 1, cut); k > 0; k -= 1) {
    if (text.startsWith(form.slice(0, k), cut - k)) return k;
  }
  return 0;
}
