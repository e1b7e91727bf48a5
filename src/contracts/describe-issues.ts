import type * as z from 'zod/mini';
import { counted } from './counted.ts';

type Issue = z.core.$ZodIssue;
type Schema = z.ZodMiniType;
type Path = readonly PropertyKey[];
/** What a schema is made of, as far as it is walked here. */
interface Definition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, Schema>>;
  readonly innerType?: Schema;
  /** Of a schema that is built on its first use. */
  readonly getter?: () => Schema;
  readonly element?: Schema;
  readonly valueType?: Schema;
  readonly options?: readonly Schema[];
}

/** One thing that a schema found, for people. */
export interface Finding {
  readonly place: readonly (string | number)[];
  /** `place` as it is written: `limits.turns`, `steps[0].agent`; empty for the whole. */
  readonly path: string;
  /** What is wrong there: `must be a whole number, not 1.5`. */
  readonly message: string;
  /** What is known there instead; the same for all findings of one place. */
  readonly hint?: string;
}

/** What a schema found, in words. The values must be in the issues (`reportInput`) for what was given to be told. */
export function describeIssues(issues: readonly Issue[], schema: Schema): Finding[] {
  return issues.flatMap((issue) => flatten(issue, [])).flatMap(({ issue, path }) => describeOne(issue, path, schema));
}

/** Of a union, the branches that have the right kind of value speak; if none has, the union itself does. */
function flatten(issue: Issue, base: Path): { readonly issue: Issue; readonly path: Path }[] {
  const path = [...base, ...issue.path];
  if (issue.code !== 'invalid_union') return [{ issue, path }];
  const near = issue.errors.filter(
    (branch) => branch.length > 0 && !branch.some((inner) => inner.path.length === 0 && inner.code === 'invalid_type'),
  );
  const best = near.toSorted((a, b) => a.length - b.length)[0];
  return best === undefined ? [{ issue, path }] : best.flatMap((inner) => flatten(inner, path));
}

function describeOne(issue: Issue, path: Path, schema: Schema): Finding[] {
  const place = path.map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const allowed = keysAt(schema, path);
    const hint = allowed.length === 0 ? {} : { hint: `allowed here: ${allowed.join(', ')}` };
    return issue.keys.map((key) => findingAt([...place, key], 'is not a known field', hint));
  }
  return [findingAt(place, sentence(issue))];
}

function findingAt(place: Finding['place'], message: string, hint: Pick<Finding, 'hint'> = {}): Finding {
  return { place, path: dotted(place), message, ...hint };
}

function sentence(issue: Issue): string {
  // Zod mini ships no language: the default text is one phrase, anything else was written in the schema.
  if (issue.message !== '' && issue.message !== 'Invalid input') return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `is required: ${kinds[issue.expected] ?? issue.expected}`
        : `must be ${kinds[issue.expected] ?? issue.expected}, not ${kindOf(issue.input)}`;
    case 'invalid_value':
      return `must be ${list(issue.values.map((value) => JSON.stringify(value)))}`;
    case 'too_small':
      return bound(issue.inclusive === false ? 'more than' : 'at least', issue.minimum, issue.origin);
    case 'too_big':
      return bound(issue.inclusive === false ? 'less than' : 'at most', issue.maximum, issue.origin);
    case 'invalid_format':
      return issue.pattern === undefined ? `must be a valid ${issue.format}` : `must match ${issue.pattern}`;
    case 'invalid_union':
      return 'has none of the forms that are allowed here';
    case 'invalid_key':
      return `is not a name that is allowed here: ${issue.issues.map(sentence).join('; ')}`;
    case 'custom':
    case 'invalid_element':
    case 'not_multiple_of':
    case 'unrecognized_keys':
    default:
      return 'is not allowed';
  }
}

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function kindOf(input: unknown): string {
  if (input === null) return 'empty';
  if (Array.isArray(input)) return 'a list';
  if (typeof input === 'number') return String(input);
  return kinds[typeof input] ?? typeof input;
}

/** `must be at least 1`, `must have at most 200 characters`. */
function bound(how: string, limit: unknown, origin: string): string {
  if (origin === 'string') return `must have ${how} ${counted(Number(limit), 'character')}`;
  return origin === 'array' ? `must have ${how} ${counted(Number(limit), 'entry', 'entries')}` : `must be ${how} ${String(limit)}`;
}

function list(values: readonly string[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

function dotted(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`), '');
}

/** The fields that a schema knows at a path; of a union, those of all branches. */
function keysAt(schema: Schema, path: Path): string[] {
  const definition = schema.def as unknown as Definition;
  if (definition.getter !== undefined) return keysAt(definition.getter(), path);
  if (definition.innerType !== undefined) return keysAt(definition.innerType, path);
  if (definition.options !== undefined) return [...new Set(definition.options.flatMap((option) => keysAt(option, path)))];
  const [head, ...rest] = path;
  if (head === undefined) return Object.keys(definition.shape ?? {});
  const next = definition.shape?.[String(head)] ?? (typeof head === 'number' ? definition.element : definition.valueType);
  return next === undefined ? [] : keysAt(next, rest);
}
