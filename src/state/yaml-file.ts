import * as z from 'zod/mini';
import { isMap } from 'yaml';
import { describeIssues, type Finding } from '../contracts/describe-issues.ts';
import { lineOf } from './yaml-file/line-of.ts';
import { firstVersion, migrate, type FileVersions } from './yaml-file/migrate.ts';
import { parseTree, type Tree } from './yaml-file/parse-document.ts';
import { plainLineOf, readPlain } from './yaml-file/read-plain.ts';
import { InvalidFileError, type Violation } from './yaml-file/violation.ts';

export { InvalidFileError, type Violation } from './yaml-file/violation.ts';
export type { FileVersions } from './yaml-file/migrate.ts';
export type { YamlEditor } from './yaml-file/editor.ts';

/** A file that a human wrote, checked. */
export interface ParsedYaml<T> {
  readonly value: T;
  /** The 1-based line of a key or entry; of its nearest parent that exists when it does not. */
  readonly lineOf: (path: readonly (string | number)[]) => number;
  /** The version it had, when it was older and was brought up to date in memory. */
  readonly migratedFrom?: number;
  /** The text after the migration; the given text when there was none. */
  readonly text: string;
}

/** How the file is called in messages, and which versions of it are known. */
export interface YamlSource {
  readonly file: string;
  readonly versions?: FileVersions;
}

/**
 * Reads YAML (or JSON, which is YAML) by a schema. A text with nothing in it counts as the current version with every
 * default.
 *
 * @throws InvalidFileError that lists every violation with its line, its path and what is allowed.
 * @throws FixRequestError when the file's `version` is newer than `versions.current`.
 */
export function parseYaml<T>(text: string, schema: z.ZodMiniType<T>, source: string | YamlSource): ParsedYaml<T> {
  const { file, versions = firstVersion } = typeof source === 'string' ? { file: source } : source;
  return parsePlain(text, schema, versions) ?? parseAny(text, schema, { file, versions });
}

/** A plain file of the current version, by the schema; any other is left to the reader of all of YAML, as is what to say about it. */
function parsePlain<T>(text: string, schema: z.ZodMiniType<T>, { current }: FileVersions): ParsedYaml<T> | undefined {
  const plain = readPlain(text);
  if (plain === undefined) return undefined;
  const { version = current } = plain.value as { readonly version?: unknown };
  const parsed = version === current ? z.safeParse(schema, plain.value) : undefined;
  return parsed?.success === true ? { value: parsed.data, text, lineOf: (path) => plainLineOf(plain, path) } : undefined;
}

function parseAny<T>(text: string, schema: z.ZodMiniType<T>, { file, versions }: Required<YamlSource>): ParsedYaml<T> {
  const tree = parseTree(text, file);
  const migratedFrom = isMap(tree.document.contents) ? migrate(tree.document, file, versions) : undefined;
  const parsed = z.safeParse(schema, valueOf(tree, schema, versions), { reportInput: true });
  const findLine = (path: readonly (string | number)[]): number => lineOf(tree, path);
  if (!parsed.success) throw new InvalidFileError(file, violationsOf(describeIssues(parsed.error.issues, schema), findLine));
  return {
    value: parsed.data,
    lineOf: findLine,
    text: migratedFrom === undefined ? text : tree.document.toString({ lineWidth: 0 }),
    ...(migratedFrom === undefined ? {} : { migratedFrom }),
  };
}

function violationsOf(findings: readonly Finding[], findLine: ParsedYaml<unknown>['lineOf']): Violation[] {
  return findings.map(({ place, path, message, hint }) => {
    const line = findLine(place);
    return { line, path, message: hint === undefined ? message : `${message}; ${hint}` };
  });
}

function valueOf(tree: Tree, schema: z.ZodMiniType, versions: FileVersions): unknown {
  const value: unknown = tree.document.toJS({ maxAliasCount: 0 });
  if (value !== null) return value;
  const { shape, getter } = schema.def as { shape?: Record<string, unknown>; getter?: () => z.ZodMiniType };
  if (getter !== undefined) return valueOf(tree, getter(), versions);
  return shape !== undefined && 'version' in shape ? { version: versions.current } : {};
}
