import type { JsonValue } from '../../src/contracts/json.ts';

/** Reads what Python's `repr` writes for dicts, lists, tuples, texts, numbers, None and booleans; undefined otherwise. */
export function parsePythonLiteral(text: string): JsonValue | undefined {
  const reader: Reader = { text, at: 0 };
  try {
    const value = readValue(reader);
    skipSpace(reader);
    return reader.at === text.length ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Reader {
  readonly text: string;
  at: number;
}

function readValue(reader: Reader): JsonValue {
  skipSpace(reader);
  const sign = reader.text[reader.at];
  if (sign === '{') return readDict(reader);
  if (sign === '[' || sign === '(') return readList(reader, sign === '[' ? ']' : ')');
  if (sign === "'" || sign === '"') return readText(reader, sign);
  const word = /^(None|True|False|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.-])/.exec(reader.text.slice(reader.at, reader.at + 40))?.[1];
  if (word === undefined) throw new SyntaxError('no literal');
  reader.at += word.length;
  if (word === 'None') return null;
  return word === 'True' || word === 'False' ? word === 'True' : Number(word);
}

function readDict(reader: Reader): JsonValue {
  const fields: [string, JsonValue][] = [];
  readParts(reader, '}', () => {
    const key = readValue(reader);
    expect(reader, ':');
    fields.push([typeof key === 'string' ? key : JSON.stringify(key), readValue(reader)]);
  });
  return Object.fromEntries(fields);
}

function readList(reader: Reader, end: string): JsonValue {
  const items: JsonValue[] = [];
  readParts(reader, end, () => items.push(readValue(reader)));
  return items;
}

function readParts(reader: Reader, end: string, readPart: () => void): void {
  reader.at += 1;
  for (;;) {
    skipSpace(reader);
    if (reader.text[reader.at] === end) break;
    readPart();
    skipSpace(reader);
    if (reader.text[reader.at] !== end) expect(reader, ',');
  }
  reader.at += 1;
}

function readText(reader: Reader, quote: string): string {
  let text = '';
  for (reader.at += 1; ; reader.at += 1) {
    const sign = reader.text[reader.at];
    if (sign === undefined) throw new SyntaxError('open text');
    if (sign === quote) break;
    if (sign !== '\\') text += sign;
    else text += readEscape(reader);
  }
  reader.at += 1;
  return text;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\n': '' };

function readEscape(reader: Reader): string {
  reader.at += 1;
  const sign = reader.text[reader.at] ?? '';
  const digits = { x: 2, u: 4, U: 8 }[sign];
  if (digits === undefined) return escapes[sign] ?? sign;
  const code = Number.parseInt(reader.text.slice(reader.at + 1, reader.at + 1 + digits), 16);
  reader.at += digits;
  return String.fromCodePoint(code);
}

function expect(reader: Reader, sign: string): void {
  skipSpace(reader);
  if (reader.text[reader.at] !== sign) throw new SyntaxError(`no ${sign}`);
  reader.at += 1;
}

function skipSpace(reader: Reader): void {
  while (/\s/.test(reader.text[reader.at] ?? '')) reader.at += 1;
}
