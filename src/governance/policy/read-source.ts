import { LineCounter, isMap, isScalar, isSeq, parseDocument, type Document } from 'yaml';
import type * as z from 'zod/mini';
import { FixRequestError } from '../../contracts/errors.ts';
import type { PolicySource } from '../../contracts/policy.ts';

export type LineOf = (path: readonly (string | number)[]) => number;

/**
 * Reads one policy file by its schema and keeps the line of every part.
 *
 * @throws FixRequestError that lists every violation with its line.
 */
export function readSource<T>(source: PolicySource, schema: z.ZodMiniType<T>): { readonly value: T; readonly lineOf: LineOf } {
  const lines = new LineCounter();
  const document = parseDocument(source.text, { lineCounter: lines, prettyErrors: false });
  const lineOf: LineOf = (path) => lineOfPath(document, lines, path);
  const broken = document.errors.map((error) => `${source.file}:${lines.linePos(error.pos[0]).line}: ${error.message}`);
  if (broken.length > 0) throw badSource(source.file, broken);
  const parsed = schema.safeParse(toValue(source, document));
  if (parsed.success) return { value: parsed.data, lineOf };
  throw badSource(
    source.file,
    parsed.error.issues.map((issue) => {
      const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
      return `${source.file}:${lineOf(path)}: ${path.length === 0 ? 'the file' : path.join('.')} ${issueText(issue)}`;
    }),
  );
}

function toValue(source: PolicySource, document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 20 });
  } catch (error) {
    throw badSource(source.file, [`${source.file}:1: ${String(error)}`], error);
  }
}

function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `has the unknown field ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  return issue.message;
}

/** The line of the deepest part of the path that exists; of a map entry, the line of its key. */
function lineOfPath(document: Document.Parsed, lines: LineCounter, path: readonly (string | number)[]): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) break;
      if (isScalar(pair.key) && pair.key.range) offset = pair.key.range[0];
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      const range = (node as { readonly range?: readonly number[] | null } | undefined)?.range;
      if (range?.[0] !== undefined) offset = range[0];
    } else break;
  }
  return lines.linePos(offset).line;
}

function badSource(file: string, problems: readonly string[], cause?: unknown): FixRequestError {
  const list = problems.join('\n  ');
  return new FixRequestError(
    'governance.bad-policy',
    `The policy file ${file} cannot be used, because it breaks its format:\n  ${list}\nCorrect it and try again; nothing is allowed until then.`,
    cause === undefined ? undefined : { cause },
  );
}
