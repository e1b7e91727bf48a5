import { parse } from 'yaml';
import type { JsonObject, JsonValue } from '../../src/contracts/json.ts';
import { parsePythonLiteral } from './python-literal.ts';

/**
 * The fields of a recorded result, which is text: a Python literal, YAML, or prose with `Label: value` pairs. A list
 * becomes `items`, a bare value `value`.
 */
export function fieldsOf(text: string): JsonObject | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const literal = parsePythonLiteral(trimmed);
  if (literal !== undefined) return asObject(literal);
  if (/^(- |[A-Za-z_]\w*:( |\n))/.test(trimmed)) {
    const value = yamlValue(trimmed);
    if (value !== undefined && typeof value === 'object' && value !== null) return asObject(value);
  }
  if (!/\s/.test(trimmed)) return { value: trimmed };
  return labelled(trimmed);
}

function yamlValue(text: string): JsonValue | undefined {
  try {
    return JSON.parse(JSON.stringify(parse(text, { logLevel: 'silent', schema: 'failsafe' }))) as JsonValue;
  } catch {
    // silent-ok: then it is prose
    return undefined;
  }
}

function asObject(value: JsonValue): JsonObject {
  if (Array.isArray(value)) return { items: value };
  return value !== null && typeof value === 'object' ? (value as JsonObject) : { value };
}

function labelled(text: string): JsonObject | undefined {
  const fields: Record<string, string[]> = {};
  for (const [, label = '', value = ''] of text.matchAll(/(?:^|[\s,(-])([A-Z][A-Za-z]*): ([^,\n]+?)(?=,|\n|$)/g))
    (fields[label] ??= []).push(value.trim());
  return Object.keys(fields).length === 0 ? undefined : fields;
}
