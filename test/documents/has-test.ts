import { readFileSync } from 'node:fs';
import { readTokens } from '../../build/read-tokens.ts';

/**
 * Whether a test file holds a test of this title. A title made from a template counts when its fixed parts fit, and
 * one from a table when the table holds it. A test that is marked as skipped or to do shows nothing.
 */
export function hasTest(file: string, title: string): boolean {
  const tokens = readTokens(readFileSync(file, 'utf8'));
  return tokens.some((token, i) => {
    if (tokens[i - 1]?.text === '(' && (tokens[i - 2]?.text === 'skip' || tokens[i - 2]?.text === 'todo')) return false;
    if (token.kind === 'string') return token.text === title;
    return token.kind === 'template' && tokens[i - 1]?.text === '(' && tokens[i - 2]?.text === 'test' && fits(token.text, title);
  });
}

function fits(template: string, title: string): boolean {
  const fixed = template.split(/\$\{[^}]*\}/).map((part) => RegExp.escape(part));
  return new RegExp(`^${fixed.join('.+')}$`).test(title);
}
