import type * as z from 'zod/mini';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import type { Route } from '../route.ts';

export interface RawCall {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** What the route's schemas make of a request. An id that cannot be one names nothing: 404, as for any other. */
export function parseCall(route: Route, raw: RawCall): RawCall {
  return {
    params: route.params === undefined ? undefined : parseParams(route.params, raw.params),
    query: parsePart(route.query, raw.query, 'query'),
    body: route.isRaw === true ? raw.body : parsePart(route.body, raw.body, 'body'),
  };
}

function parseParams(schema: z.ZodMiniType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw unknownThing(...namesIn(value));
}

function namesIn(params: unknown): [what: string, id: string] {
  const [what, id] = Object.entries(params as Record<string, string>).at(-1) ?? ['thing', ''];
  return [what, id];
}

function parsePart(schema: z.ZodMiniType | undefined, value: unknown, part: 'query' | 'body'): unknown {
  if (schema === undefined) {
    const isEmpty = value === undefined || value === null || (part === 'query' && Object.keys(value).length === 0);
    if (isEmpty) return undefined;
    const code = 'gateway.unexpected-part';
    throw new RequestRefusedError(400, code, `This takes no ${part}. Leave it out.`);
  }
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.slice(0, 5).map(({ path, message }) => `${path.length === 0 ? part : path.join('.')}: ${message}`);
  const code = 'gateway.bad-request';
  throw new RequestRefusedError(
    400,
    code,
    `The ${part} is wrong at ${problems.join('; ').slice(0, 800)}. The shapes are at /openapi.json.`,
  );
}
