import { makeVisible } from '../visible.ts';

const maxShown = 120;

/** A value from outside as JSON text for a sentence or a line of YAML: one line, nothing invisible, not too long. */
export function quote(value: string): string {
  const cut = value.length > maxShown ? `${value.slice(0, maxShown)}…` : value;
  return JSON.stringify(makeVisible(cut));
}
