import type * as z from 'zod/mini';
import { describeIssues } from '../../contracts/describe-issues.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import type { Route } from '../route.ts';

export interface RawCall {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

type ParseError = NonNullable<ReturnType<z.ZodMiniType['safeParse']>['error']>;

/** What the route's schemas make of a request. An id that cannot be one names nothing: 404, as for any other. */
export function parseCall(route: Route, raw: RawCall): RawCall {
  return {
    params: route.params === undefined ? undefined : parseParams(route.params, raw.params),
    query: parsePart(route.query, raw.query, 'query'),
    body: route.isRaw === true || route.takesBody?.(raw.body) === true ? raw.body : parsePart(route.body, raw.body, 'body'),
  };
}

function parseParams(schema: z.ZodMiniType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const params = value as Readonly<Record<string, string>>;
  const name = String(parsed.error.issues[0]?.path[0] ?? Object.keys(params)[0]);
  throw unknownThing(name, params[name] ?? '');
}

function parsePart(schema: z.ZodMiniType | undefined, value: unknown, part: 'query' | 'body'): unknown {
  if (schema === undefined) {
    const isEmpty =
      value === undefined || value === null || (typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0);
    if (isEmpty) return undefined;
    const code = 'gateway.unexpected-part';
    throw new RequestRefusedError(400, code, `This takes no ${part}. Leave it out.`);
  }
  const parsed = schema.safeParse(value ?? {}, { reportInput: true });
  if (parsed.success) return parsed.data;
  const repeated = part === 'query' ? Object.entries(value ?? {}).find(([, one]) => Array.isArray(one)) : undefined;
  const problems = repeated === undefined ? problemsOf(parsed.error, schema) : `${repeated[0].slice(0, 80)} stands there twice`;
  const code = 'gateway.bad-request';
  throw new RequestRefusedError(400, code, `The ${part} is wrong: ${problems}. Correct it; the shapes are at /openapi.json.`);
}

const shownProblems = 5;

/** Each with its place; what is known at a place is told once. */
function problemsOf({ issues }: ParseError, schema: z.ZodMiniType): string {
  const findings = describeIssues(issues.slice(0, shownProblems), schema).slice(0, shownProblems);
  const hints = new Set(findings.flatMap(({ hint }) => hint ?? []));
  const problems = findings.map(({ path, message }) => `${path === '' ? 'it' : path.slice(0, 80)} ${message}`);
  return [...problems, ...hints].join('; ').slice(0, 1200);
}
