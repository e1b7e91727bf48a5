import { makeVisible } from '../governance/visible.ts';

/** What `paletteFor` paints with, and nothing that moves a cursor or hides a text. */
const paint = new RegExp(`(${String.fromCharCode(27)}\\[(?:0|1|2|31|32|33|36)m)`);

/**
 * The last door before a person's terminal. Renderers show hostile text with its code points; whatever one of them
 * forgets, or what stands in the message of a bug, cannot steer the terminal either.
 */
export function terminalText(text: string): string {
  return text
    .split(paint)
    .map((part, index) => (index % 2 === 1 ? part : makeVisible(part, { keepLines: true })))
    .join('');
}
