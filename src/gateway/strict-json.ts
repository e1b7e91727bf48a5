import { isUtf8 } from 'node:buffer';
import { reasonOf } from '../contracts/errors.ts';
import { RequestRefusedError } from './request-refused-error.ts';

export const maxBodyDepth = 64;

/** Keys that change what an object is in a program that copies it carelessly. */
const poisonous: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * Reads a body that no two readers could read in two ways: UTF-8 without a byte order mark, no key twice in one object,
 * no unpaired surrogate, no key that reaches a prototype, at most 64 levels deep.
 * @throws RequestRefusedError (400) that says what is wrong, and where.
 */
export function parseStrictJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw badJson('it is not UTF-8');
  const text = bytes.toString('utf8');
  if (text.charCodeAt(0) === 0xfe_ff) throw badJson('it begins with a byte order mark');
  checkStructure(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badJson(reasonOf(error).slice(0, 160));
  }
  // A surrogate without its other half is text for JavaScript and for nobody else; JSON.stringify shows it as an escape.
  if (/\\u[dD][89a-fA-F]/.test(text) && /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(JSON.stringify(value)))
    throw badJson('a text in it has half of a surrogate pair');
  return value;
}

/** Depth and keys, before anything is built. What is no JSON at all is left for the parser to say. */
function checkStructure(text: string): void {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (letter === '{' || letter === '[') {
      open.push(letter === '{' ? new Set() : undefined);
      if (open.length > maxBodyDepth) throw badJson(`it is nested deeper than ${maxBodyDepth} levels`);
    } else if (letter === '}' || letter === ']') open.pop();
    else if (letter === '"') {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (keys !== undefined && isKey(text, end)) addKey(keys, text.slice(at, end + 1));
      at = end;
    }
  }
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function isKey(text: string, endOfName: number): boolean {
  let at = endOfName + 1;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return text[at] === ':';
}

function addKey(keys: Set<string>, spelled: string): void {
  let key: string;
  try {
    key = JSON.parse(spelled) as string;
  } catch {
    // silent-ok: a name that is no JSON is refused by the parser, with its place.
    return;
  }
  if (poisonous.has(key)) throw badJson(`the key ${JSON.stringify(key)} is not allowed in it`);
  if (keys.has(key)) throw badJson(`the key ${JSON.stringify(key.slice(0, 80))} stands twice in one object`);
  keys.add(key);
}

function badJson(why: string): RequestRefusedError {
  return new RequestRefusedError(400, 'gateway.bad-json', `The body cannot be used: ${why}. Send one JSON document.`);
}
