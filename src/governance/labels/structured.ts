import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { leavesOf } from './leaves.ts';

/**
 * The values of a result's structured fields. A field is a dotted path (`entries.path`); lists are stepped through by
 * themselves, `*` is any field of an object. A value counts whole, with all its leaves.
 *
 * `isComplete`: nothing in the data is free text.
 */
export function structuredValues(
  data: JsonObject | undefined,
  fields: readonly string[],
): { readonly structured: readonly string[]; readonly isComplete: boolean } {
  if (data === undefined) return { structured: [], isComplete: false };
  const structured: string[] = [];
  const paths = fields.map((field) => field.split('.'));
  const isComplete = collect(data, paths, structured);
  return { structured, isComplete };
}

/** @returns whether every leaf beneath the value was structured. */
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
      return collect(element, beneath, into);
    }),
  );
}

function all(answers: readonly boolean[]): boolean {
  return answers.every(Boolean);
}
