import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { leavesOf } from './leaves.ts';

/** Numbers, dates and identifiers: too short and too plain to tell a model anything. */
const inert = /^[A-Za-z0-9.:+_-]{0,32}$/;

/**
 * The values of a result's structured fields. A field is a dotted path (`entries.path`); lists are stepped through by
 * themselves, `*` is any field of an object. A value counts whole, with all its leaves.
 *
 * `isInert`: the data holds nothing but structured fields, and nothing in it can carry an instruction.
 */
export function structuredValues(
  data: JsonObject | undefined,
  fields: readonly string[],
): { readonly structured: readonly string[]; readonly isInert: boolean } {
  if (data === undefined) return { structured: [], isInert: false };
  const structured: string[] = [];
  const paths = fields.map((field) => field.split('.'));
  const isComplete = collect(data, paths, structured);
  return { structured, isInert: isComplete && structured.every((value) => inert.test(value)) };
}

/** @returns whether every leaf beneath the value was structured, and every name of a field plain. */
function collect(value: JsonValue, paths: readonly (readonly string[])[], into: string[]): boolean {
  if (paths.some((path) => path.length === 0)) {
    for (const leaf of leavesOf(value)) if (typeof leaf === 'string' || typeof leaf === 'number') into.push(String(leaf));
    return true;
  }
  if (value === null || typeof value !== 'object') return typeof value === 'boolean' || value === null;
  if (Array.isArray(value)) return all(value.map((element: JsonValue) => collect(element, paths, into)));
  return all(
    Object.entries(value as JsonObject).map(([key, element]) => {
      const beneath = paths.filter(([head]) => head === key || head === '*').map(([, ...rest]) => rest);
      return collect(element, beneath, into) && inert.test(key);
    }),
  );
}

function all(answers: readonly boolean[]): boolean {
  return answers.every(Boolean);
}
