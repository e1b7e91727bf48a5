/** What was read of a plain text: its value, and the lines of its keys and entries. */
export interface Plain {
  readonly value: unknown;
  /** 1-based. */
  readonly line: number;
  readonly parts?: ReadonlyMap<string, PlainPart>;
}

export interface PlainPart {
  readonly line: number;
  readonly node: Plain;
}

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly number: number;
}

interface Reading {
  readonly lines: Line[];
  at: number;
}

/** The text is more than plain: YAML's own reader must read it. */
const more: unique symbol = Symbol('more');

const maxLength = 1024 * 1024;
const maxDepth = 32;
const plainText = /^[\n\x20-\x7e]*$/;
const entry = /^([A-Za-z_][A-Za-z0-9_.-]*):(?: +(.*))?$/;
const item = /^-( +)(.*)$/;
const nothing = /^ *(?:#.*)?$/;

/**
 * Reads the plain part of YAML, which is what nearly all configuration is: block mappings and lists, flow ones on one
 * line, words, whole and decimal numbers, true and false, quoted text without escapes, comments. The package that reads
 * all of YAML costs 10 ms at each start.
 *
 * Contract: for each text either `undefined`, or exactly what the package reads, with the same lines, and nothing in it
 * that `parseTree` refuses; a test compares them. Whatever is unusual, or wrong, is `undefined`.
 */
export function readPlain(text: string): Plain | undefined {
  if (text.length > maxLength || !plainText.test(text)) return undefined;
  const lines = text.split('\n').flatMap((line, index) => (nothing.test(line) ? [] : [lineAt(line, index + 1)]));
  const reading: Reading = { lines, at: 0 };
  const [first] = lines;
  if (first === undefined) return undefined;
  const root = readBlock(reading, first.indent, 0);
  return root === more || reading.at < lines.length ? undefined : root;
}

function lineAt(line: string, number: number): Line {
  const indent = line.length - line.trimStart().length;
  return { indent, text: line.slice(indent).trimEnd(), number };
}

function readBlock(reading: Reading, indent: number, depth: number): Plain | typeof more {
  const first = reading.lines[reading.at];
  if (first === undefined || depth > maxDepth) return more;
  return item.test(first.text) ? readItems(reading, indent, depth) : readEntries(reading, indent, depth);
}

function readEntries(reading: Reading, indent: number, depth: number): Plain | typeof more {
  const { lines } = reading;
  const start = lines[reading.at]?.number ?? 0;
  const read = newMapping();
  for (let line = lines[reading.at]; line !== undefined && line.indent >= indent; line = lines[reading.at]) {
    const [, key = '', rest = ''] = entry.exec(line.text) ?? [];
    if (line.indent > indent || !isFreeKey(key, read)) return more;
    reading.at += 1;
    const node = nothing.test(rest) ? readBeneath(reading, indent, depth) : readLine(rest, line.number);
    if (node === more) return more;
    addEntry(read, key, { line: line.number, node });
  }
  return { ...read, line: start };
}

/** What stands under a key: deeper, or a list beginning in the same column. */
function readBeneath(reading: Reading, indent: number, depth: number): Plain | typeof more {
  const next = reading.lines[reading.at];
  if (next === undefined || next.indent < indent) return more;
  if (next.indent > indent) return readBlock(reading, next.indent, depth + 1);
  return item.test(next.text) ? readItems(reading, indent, depth + 1) : more;
}

function readItems(reading: Reading, indent: number, depth: number): Plain | typeof more {
  const { lines } = reading;
  const start = lines[reading.at]?.number ?? 0;
  const value: unknown[] = [];
  const parts = new Map<string, PlainPart>();
  for (let line = lines[reading.at]; line !== undefined && line.indent >= indent; line = lines[reading.at]) {
    const found = item.exec(line.text);
    if (line.indent > indent) return more;
    // A list in the column of its key ends with the next key.
    if (found === null) break;
    const node = readItem(reading, { line, found, depth });
    if (node === more) return more;
    parts.set(String(value.length), { line: line.number, node });
    value.push(node.value);
  }
  return { value, line: start, parts };
}

function readItem(
  reading: Reading,
  { line, found, depth }: { readonly line: Line; readonly found: RegExpExecArray; readonly depth: number },
): Plain | typeof more {
  const [, spaces = '', rest = ''] = found;
  if (nothing.test(rest) || rest === '-' || rest.startsWith('- ')) return more;
  if (entry.test(rest)) {
    // A mapping whose first key stands behind the dash.
    const indent = line.indent + 1 + spaces.length;
    reading.lines[reading.at] = { indent, text: rest, number: line.number };
    return depth < maxDepth ? readEntries(reading, indent, depth + 1) : more;
  }
  reading.at += 1;
  return readLine(rest, line.number);
}

interface Mapping {
  readonly value: Record<string, unknown>;
  readonly parts: Map<string, PlainPart>;
}

function newMapping(): Mapping {
  return { value: {}, parts: new Map() };
}

/** YAML takes some words for something else than text, also as keys. */
const reserved = /^(?:null|true|false)$/i;

function isFreeKey(key: string, { parts }: Mapping): boolean {
  return key !== '' && key !== '__proto__' && !reserved.test(key) && !parts.has(key);
}

function addEntry({ value, parts }: Mapping, key: string, part: PlainPart): void {
  value[key] = part.node.value;
  parts.set(key, part);
}

/** A value that ends with its line. */
function readLine(text: string, line: number): Plain | typeof more {
  const cursor: Cursor = { text, at: 0, line };
  const isFlow = /^["'[{]/.test(text);
  const node = isFlow ? readFlow(cursor, 0) : readWords(text, line);
  if (node === more || !isFlow) return node;
  const rest = text.slice(cursor.at);
  return rest === '' || /^ +#/.test(rest) ? node : more;
}

/** Text without quotes, up to a comment. */
function readWords(text: string, line: number): Plain | typeof more {
  const end = text.search(/ +#/);
  const words = end < 0 ? text : text.slice(0, end);
  if (!/^(?:[A-Za-z0-9_/]|-[A-Za-z]|\.{1,2}(?:\/|$))/.test(words) || /:(?: |$)/.test(words)) return more;
  return scalar(words, line);
}

function scalar(text: string, line: number): Plain | typeof more {
  if (text === 'true' || text === 'false') return { value: text === 'true', line };
  if (/^(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$/.test(text)) return { value: Number(text), line };
  return reserved.test(text) || /^[0-9]/.test(text) ? more : { value: text, line };
}

interface Cursor {
  readonly text: string;
  at: number;
  readonly line: number;
}

function take(cursor: Cursor, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text);
  if (found === null) return undefined;
  cursor.at += found[0].length;
  return found;
}

/** Quoted text, a list or a mapping; beneath these also words. */
function readFlow(cursor: Cursor, depth: number): Plain | typeof more {
  const { line } = cursor;
  if (depth > maxDepth) return more;
  const quoted = take(cursor, /"([^"\\]*)"|'([^']*)'(?!')/y);
  if (quoted !== undefined) return { value: quoted[1] ?? quoted[2] ?? '', line };
  if (take(cursor, /\[ */y) !== undefined) return readFlowItems(cursor, depth);
  if (take(cursor, /\{ */y) !== undefined) return readFlowEntries(cursor, depth);
  const found = take(cursor, /(?:[A-Za-z0-9_/]|-[A-Za-z])[A-Za-z0-9_./@*+=()-]*(?: +[A-Za-z0-9_/(*-][A-Za-z0-9_./@*+=()-]*)*/y);
  return found === undefined ? more : scalar(found[0], line);
}

function readFlowItems(cursor: Cursor, depth: number): Plain | typeof more {
  const value: unknown[] = [];
  const parts = new Map<string, PlainPart>();
  if (take(cursor, /\]/y) !== undefined) return { value, line: cursor.line, parts };
  for (;;) {
    const node = readFlow(cursor, depth + 1);
    if (node === more) return more;
    parts.set(String(value.length), { line: cursor.line, node });
    value.push(node.value);
    if (take(cursor, / *\]/y) !== undefined) return { value, line: cursor.line, parts };
    if (take(cursor, / *, +/y) === undefined) return more;
  }
}

function readFlowEntries(cursor: Cursor, depth: number): Plain | typeof more {
  const read = newMapping();
  if (take(cursor, /\}/y) !== undefined) return { ...read, line: cursor.line };
  for (;;) {
    const [, key = ''] = take(cursor, /([A-Za-z_][A-Za-z0-9_.-]*): +/y) ?? [];
    if (!isFreeKey(key, read)) return more;
    const node = readFlow(cursor, depth + 1);
    if (node === more) return more;
    addEntry(read, key, { line: cursor.line, node });
    if (take(cursor, / *\}/y) !== undefined) return { ...read, line: cursor.line };
    if (take(cursor, / *, +/y) === undefined) return more;
  }
}

/** The line of a key or entry; of its nearest parent that exists when it does not. */
export function plainLineOf(root: Plain, path: readonly (string | number)[]): number {
  let { line } = root;
  let node: Plain | undefined = root;
  for (const part of path) {
    const found: PlainPart | undefined = node.parts?.get(String(part));
    if (found === undefined) break;
    ({ line, node } = found);
  }
  return line;
}
