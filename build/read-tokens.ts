/** One piece of TypeScript source. Comments are gone; a string or template carries its content, not its quotes. */
export interface Token {
  readonly kind: 'word' | 'mark' | 'string' | 'template' | 'regex';
  readonly text: string;
  /** Offset in the source. */
  readonly at: number;
}

const wordStart = /[\p{L}_$]/u;
const wordPart = /[\p{L}\p{N}_$]/u;
/** After these a `/` begins a regular expression, not a division. */
const beforeRegex = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'do',
  'else',
  'void',
  'delete',
  'throw',
  'await',
  'yield',
  'new',
  'instanceof',
]);

/**
 * Splits source into tokens: enough to see what a file loads, not a parser.
 *
 * A template with `${}` yields its whole raw text as one `template` token, then the tokens of its expressions, so that
 * nothing hides inside one.
 */
export function readTokens(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const next = readOne(source, at, tokens.at(-1));
    tokens.push(...next.tokens);
    at = next.end;
  }
  return tokens;
}

interface Read {
  readonly tokens: readonly Token[];
  readonly end: number;
}

function readOne(source: string, at: number, previous: Token | undefined): Read {
  const letter = source.charAt(at);
  const pair = source.slice(at, at + 2);
  if (pair === '//') return { tokens: [], end: endOr(source.indexOf('\n', at), source) };
  if (pair === '/*') return { tokens: [], end: endOr(source.indexOf('*/', at + 2), source) + 2 };
  if (letter === "'" || letter === '"') return readString(source, at);
  if (letter === '`') return readTemplate(source, at);
  if (letter === '/' && canStartRegex(previous)) return readRegex(source, at);
  if (wordStart.test(letter)) {
    let end = at + 1;
    while (end < source.length && wordPart.test(source.charAt(end))) end += 1;
    return { tokens: [{ kind: 'word', text: source.slice(at, end), at }], end };
  }
  if (/\s/.test(letter)) return { tokens: [], end: at + 1 };
  if (pair === '?.') return readOptionalChain(source, at);
  return { tokens: [{ kind: 'mark', text: letter, at }], end: at + 1 };
}

/** `a?.b` reads as `a.b`, `a?.(b)` as `a(b)`: what is loaded is the same. */
function readOptionalChain(source: string, at: number): Read {
  const isCallOrIndex = /^\s*[([]/.test(source.slice(at + 2, at + 40));
  return { tokens: isCallOrIndex ? [] : [{ kind: 'mark', text: '.', at }], end: at + 2 };
}

function endOr(found: number, source: string): number {
  return found === -1 ? source.length : found;
}

/** Undoes escapes, so that `'node:\x73qlite'` is read as what it loads. */
function unescape(raw: string): string {
  return raw.replaceAll(/\\(?:u\{([0-9a-f]+)\}|u([0-9a-f]{4})|x([0-9a-f]{2})|([\s\S]))/gi, (_, braced, four, two, other) => {
    const hex: string | undefined = braced ?? four ?? two;
    return hex === undefined ? other : String.fromCodePoint(Number.parseInt(hex, 16));
  });
}

function readString(source: string, at: number): Read {
  const quote = source.charAt(at);
  let end = at + 1;
  while (end < source.length && source.charAt(end) !== quote) end += source.charAt(end) === '\\' ? 2 : 1;
  return { tokens: [{ kind: 'string', text: unescape(source.slice(at + 1, end)), at }], end: end + 1 };
}

function readTemplate(source: string, at: number): Read {
  const inner: Token[] = [];
  let end = at + 1;
  while (end < source.length && source.charAt(end) !== '`') {
    if (source.startsWith('${', end)) {
      const expression = readExpression(source, end + 2);
      inner.push(...expression.tokens);
      end = expression.end;
    } else {
      end += source.charAt(end) === '\\' ? 2 : 1;
    }
  }
  const raw = source.slice(at + 1, end);
  const whole: Token = inner.length === 0 ? { kind: 'string', text: unescape(raw), at } : { kind: 'template', text: raw, at };
  return { tokens: [whole, ...inner], end: end + 1 };
}

/** Reads up to the `}` that closes a `${`. */
function readExpression(source: string, at: number): Read {
  const tokens: Token[] = [];
  let depth = 1;
  let end = at;
  while (end < source.length) {
    const next = readOne(source, end, tokens.at(-1));
    end = next.end;
    const mark = next.tokens[0]?.kind === 'mark' ? next.tokens[0].text : '';
    if (mark === '{') depth += 1;
    if (mark === '}') depth -= 1;
    if (depth === 0) break;
    tokens.push(...next.tokens);
  }
  return { tokens, end };
}

function canStartRegex(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  if (previous.kind === 'mark') return previous.text !== ')' && previous.text !== ']' && previous.text !== '}';
  return previous.kind === 'word' && beforeRegex.has(previous.text);
}

function readRegex(source: string, at: number): Read {
  let end = at + 1;
  let inClass = false;
  while (end < source.length && source.charAt(end) !== '\n') {
    const letter = source.charAt(end);
    if (letter === '/' && !inClass) break;
    if (letter === '[') inClass = true;
    if (letter === ']') inClass = false;
    end += letter === '\\' ? 2 : 1;
  }
  return { tokens: [{ kind: 'regex', text: source.slice(at + 1, end), at }], end: end + 1 };
}
