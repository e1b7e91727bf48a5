import * as z from 'zod/mini';

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
}

/**
 * Every field of a schema as a dotted path, sorted: `limits.turns`, `patterns[].name`, `providers.*.wire`. A field that
 * may be one thing or a list of it has one path for both.
 */
export function schemaFields(schema: z.core.$ZodType): string[] {
  return [...new Set(pathsOf(z.toJSONSchema(schema, { unrepresentable: 'any' }) as JsonSchema, ''))].toSorted();
}

/** Names at the top level, with `?` after the optional ones. */
export function topFields(schema: z.core.$ZodType): string[] {
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { unrepresentable: 'any' }) as JsonSchema;
  return Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`));
}

function pathsOf(schema: JsonSchema, prefix: string): string[] {
  const paths: string[] = [];
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const here = prefix === '' ? name : `${prefix}.${name}`;
    paths.push(...leafOr(field, here));
  }
  if (typeof schema.additionalProperties === 'object' && Object.keys(schema.additionalProperties).length > 0) {
    paths.push(...leafOr(schema.additionalProperties, `${prefix}.*`));
  }
  if (schema.items !== undefined) paths.push(...pathsOf(schema.items, `${prefix}[]`));
  for (const choice of schema.anyOf ?? []) paths.push(...pathsOf(choice.items ?? choice, prefix));
  return paths;
}

function leafOr(field: JsonSchema, here: string): string[] {
  const inner = pathsOf(field, here);
  return inner.length === 0 ? [here] : inner;
}
