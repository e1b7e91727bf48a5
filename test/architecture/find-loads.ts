import type { Token } from '../../build/read-tokens.ts';

/** Something that a file loads: by `import`, `export … from`, `import()`, `require` or `getBuiltinModule`. */
export interface Load {
  /** Undefined when the specifier is computed, so that nobody can see where it leads. */
  readonly specifier: string | undefined;
  /** `import type` or `export type`: gone at run time. */
  readonly isTypeOnly: boolean;
  /** Runs when the file is loaded, not when a function is called. */
  readonly isStatic: boolean;
}

const loaders = new Set(['require', 'getBuiltinModule', 'import']);

export function findLoads(tokens: readonly Token[]): Load[] {
  const loads: Load[] = [];
  for (const [i, token] of tokens.entries()) {
    if (token.kind !== 'word') continue;
    if (isCall(tokens, i)) loads.push({ specifier: argumentOf(tokens, i), isTypeOnly: false, isStatic: false });
    else if (token.text === 'getBuiltinModule') loads.push({ specifier: undefined, isTypeOnly: false, isStatic: false });
    else if (token.text === 'import' || token.text === 'export') loads.push(...staticLoad(tokens, i));
  }
  return loads;
}

/** `require(`, `require.resolve(`, `import(`, `import.meta.resolve(`, `getBuiltinModule(`; not a method declaration of that name. */
function isCall(tokens: readonly Token[], at: number): boolean {
  const word = tokens[at]!.text;
  if (word === 'resolve')
    return tokens[at - 1]?.text === '.' && isOneOf(tokens[at - 2]?.text, 'require', 'meta') && tokens[at + 1]?.text === '(';
  if (!loaders.has(word) || tokens[at + 1]?.text !== '(') return false;
  return !(word === 'import' && tokens[at - 1]?.text === '.');
}

function isOneOf(text: string | undefined, ...words: readonly string[]): boolean {
  return text !== undefined && words.includes(text);
}

function argumentOf(tokens: readonly Token[], at: number): string | undefined {
  const first = tokens[at + 2];
  const after = tokens[at + 3];
  return first?.kind === 'string' && (after?.text === ')' || after?.text === ',') ? first.text : undefined;
}

function staticLoad(tokens: readonly Token[], at: number): Load[] {
  if (tokens[at - 1]?.text === '.' || isOneOf(tokens[at + 1]?.text, '.', ':', '(')) return [];
  const next = tokens[at + 1];
  const isImport = tokens[at]!.text === 'import';
  if (isImport && next?.kind === 'string') return [{ specifier: next.text, isTypeOnly: false, isStatic: true }];
  const isTypeOnly = next?.text === 'type' && !isOneOf(tokens[at + 2]?.text, ',', 'from');
  const head = tokens[at + (isTypeOnly ? 2 : 1)];
  if (!isImport && head?.text !== '*' && head?.text !== '{') return [];
  for (let i = at + 1; i < tokens.length && tokens[i]!.text !== ';'; i += 1) {
    if (
      tokens[i]!.text === '=' ||
      (i > at + 1 && isOneOf(tokens[i]!.text, 'import', 'export') && tokens[i]!.kind === 'word' && tokens[i - 1]!.text === '}')
    )
      break;
    if (tokens[i]!.kind === 'word' && tokens[i]!.text === 'from' && tokens[i + 1]?.kind === 'string') {
      return [{ specifier: tokens[i + 1]!.text, isTypeOnly, isStatic: true }];
    }
  }
  return [];
}
