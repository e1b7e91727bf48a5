import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import type { Finder, Span } from './find.ts';

export interface NamedPattern {
  readonly name: string;
  readonly regex: string;
}

/** Matches times letters on one line; a line that costs more is hidden from there on. */
const maxWork = 4_000_000;
const maxSource = 500;
/** `l` exists once the V8 flag below is set. */
const linearFlags = 'gl';

/**
 * A pattern from the configuration, run on V8's linear engine: no input can make it slow, whatever a human wrote.
 * What that engine cannot run (look-around, back-references, repetition counts such as {20,40}, unless small) is refused. Each line is matched
 * by itself; `^` and `$` are its ends.
 *
 * @throws FixRequestError `governance.bad-pattern`
 */
export function findPattern(pattern: NamedPattern): Finder {
  const regex = compile(pattern);
  return (text) => {
    const spans: Span[] = [];
    let lineStart = 0;
    for (const line of text.split('\n')) {
      findInLine({ regex, name: pattern.name, line, lineStart, spans });
      lineStart += line.length + 1;
    }
    return spans;
  };
}

function compile({ name, regex }: NamedPattern): RegExp {
  if (regex.length > maxSource) throw badPattern(name, `it is longer than ${maxSource} letters`);
  // Adds the regular expression flag `l`; nothing else changes.
  process.getBuiltinModule('node:v8').setFlagsFromString('--enable-experimental-regexp-engine');
  let compiled: RegExp;
  try {
    compiled = new RegExp(regex, linearFlags);
  } catch (cause) {
    throw badPattern(name, reasonOf(cause), cause);
  }
  if (compiled.test('')) throw badPattern(name, 'it matches the empty text, so it would match everywhere');
  return compiled;
}

interface LineSearch {
  readonly regex: RegExp;
  readonly name: string;
  readonly line: string;
  readonly lineStart: number;
  readonly spans: Span[];
}

function findInLine({ regex, name, line, lineStart, spans }: LineSearch): void {
  regex.lastIndex = 0;
  let work = 0;
  for (let match = regex.exec(line); match !== null; match = regex.exec(line)) {
    work += line.length;
    const isTooMuch = work > maxWork;
    const end = isTooMuch ? line.length : match.index + match[0].length;
    if (end > match.index) spans.push({ start: lineStart + match.index, end: lineStart + end, name });
    if (isTooMuch) return;
    if (match[0] === '') regex.lastIndex += 1;
  }
}

function badPattern(name: string, why: string, cause?: unknown): FixRequestError {
  return new FixRequestError(
    'governance.bad-pattern',
    `The redaction pattern "${name}" in clawhold.yaml cannot be used: ${why}. Write a JavaScript regular expression without look-around and back-references, for example ACME-[A-Z0-9]+.`,
    { cause },
  );
}
