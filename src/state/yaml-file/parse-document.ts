import { isAlias, isMap, isNode, isPair, isScalar, LineCounter, parseDocument, visit, type Document, type YAMLError } from 'yaml';
import { reasonOf } from '../../contracts/errors.ts';
import { InvalidFileError, type Violation } from './violation.ts';

/** A YAML or JSON text as a tree that knows its lines. */
export interface Tree {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

const maxBytes = 1024 * 1024;
/** The text is not YAML at all, as a torn or damaged file is not; a rule that is broken in good YAML has another code. */
export const syntaxCode = 'config.syntax';

/**
 * Contract: no anchors, aliases, merge keys or tags (they hide what a rule says, and bombs are made of them), no
 * duplicate keys, only text keys, one document, at most 1 MiB.
 * @throws InvalidFileError that lists everything.
 */
export function parseTree(text: string, file: string): Tree {
  refuseUnreadable(text, file);
  const lines = new LineCounter();
  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      merge: false,
      version: '1.2',
    });
  } catch (error) {
    // The parser is recursive: a text of a million brackets ends its stack.
    throw new InvalidFileError(file, [{ line: 0, path: '', message: `cannot be read as YAML: ${reasonOf(error)}` }], {
      cause: error,
      code: syntaxCode,
    });
  }
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    const isSyntax = problems.some(
      (problem) => !['DUPLICATE_KEY', 'TAG_RESOLVE_FAILED', 'MULTIPLE_DOCS', 'BAD_ALIAS'].includes(problem.code),
    );
    throw new InvalidFileError(
      file,
      problems.map((problem) => describe(problem, lines)),
      isSyntax ? { code: syntaxCode } : {},
    );
  }
  const violations = findForbidden(document, lines);
  if (violations.length > 0) throw new InvalidFileError(file, violations);
  return { document, lines };
}

function refuseUnreadable(text: string, file: string): void {
  if (Buffer.byteLength(text) > maxBytes) {
    throw new InvalidFileError(file, [
      { line: 0, path: '', message: `has ${Buffer.byteLength(text)} bytes; at most ${maxBytes} are allowed` },
    ]);
  }
  if (hasControl(text)) {
    const line = text.split('\n').findIndex(hasControl) + 1;
    throw new InvalidFileError(file, [{ line, path: '', message: 'holds control characters, which stand in no text' }], {
      code: syntaxCode,
    });
  }
}

/** Characters that stand in no text: C0 without tab, newline and carriage return, and DEL. */
export function hasControl(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text);
}

function describe(problem: YAMLError, lines: LineCounter): Violation {
  const message: Partial<Record<string, string>> = {
    DUPLICATE_KEY: 'the same key stands here a second time; keep one of them',
    TAG_RESOLVE_FAILED: 'a tag (!…) stands here; tags are not allowed',
    MULTIPLE_DOCS: 'a second document begins here; one file holds one document',
  };
  return { line: lines.linePos(problem.pos[0]).line, path: '', message: message[problem.code] ?? `is not valid YAML: ${problem.message}` };
}

function findForbidden(document: Document.Parsed, lines: LineCounter): Violation[] {
  const violations: Violation[] = [];
  const add = (node: { readonly range?: readonly number[] | null }, message: string): void => {
    violations.push({ line: lines.linePos(node.range?.[0] ?? 0).line, path: '', message });
  };
  visit(document, (_key, node) => {
    if (isAlias(node)) add(node, `the alias *${node.source} is not allowed; write the value out`);
    else if (isNode(node) && 'anchor' in node && node.anchor !== undefined)
      add(node, `the anchor &${node.anchor} is not allowed; write the value out where it is used`);
    else if (isNode(node) && node.tag?.startsWith('!') === true) add(node, 'a tag (!…) stands here; tags are not allowed');
    else if (isPair(node)) checkKey(node.key, add);
  });
  return violations;
}

function checkKey(key: unknown, add: (node: { readonly range?: readonly number[] | null }, message: string) => void): void {
  if (!isScalar(key)) {
    if (isMap(key) || isNode(key)) add(key, 'a key must be plain text');
    return;
  }
  if (typeof key.value !== 'string') add(key, `the key ${String(key.value)} must be text; put it in quotes`);
  else if (key.value === '__proto__') add(key, 'the key __proto__ is not allowed');
}
