import * as z from 'zod/mini';
import { roles } from '../contracts/principal.ts';
import type { Route } from './route.ts';

export type JsonDocument = { readonly [key: string]: unknown };

/** The description of the API in OpenAPI 3.1, from the table of routes and the schemas that check requests. */
export function openApiDocument(routes: readonly Route[], version: string): JsonDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Clawhold',
      version,
      description:
        'Runs of agents under policy, with a record. Bodies are strict: unknown fields are refused. Every POST takes an Idempotency-Key: the same key with the same request gives the same answer for 24 hours. What belongs to another tenant is answered as unknown.',
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: `Made with "clawhold tokens create". Roles: ${roles.join(', ')}.` },
      },
      schemas: { Problem: problemSchema },
      responses: {
        Problem: { description: 'Refused, or failed.', content: { 'application/problem+json': { schema: ref('schemas/Problem') } } },
      },
    },
  };
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'remedy', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened, why, and what to do now.' },
    code: { type: 'string', description: 'Stable: programs branch on it.' },
    remedy: { type: 'string', enum: ['retry', 'fix-request', 'ask-human', 'give-up'] },
    requestId: { type: 'string' },
    quota: {
      type: 'object',
      properties: { name: { type: 'string' }, limit: { type: 'number' }, used: { type: 'number' } },
    },
  },
};

function operationOf(route: Route): JsonDocument {
  const parameters = [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')];
  if (route.method === 'POST' && route.roles.length > 0) parameters.push(idempotencyParameter);
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.roles.length === 0 ? { security: [] } : { 'x-roles': route.roles, 'x-scope': route.scope }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': bodyOf(route.body, route.example) } } }),
    responses: { [String(route.status ?? 200)]: answerOf(route), default: { $ref: '#/components/responses/Problem' } },
  };
}

function bodyOf(body: z.ZodMiniType, example: Route['example']): JsonDocument {
  return { schema: jsonSchema(body), ...(example === undefined ? {} : { example }) };
}

const idempotencyParameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', minLength: 1, maxLength: 128 },
};

function answerOf({ answer, media }: Route): JsonDocument {
  if (answer !== undefined) return { description: 'Done.', content: { 'application/json': { schema: jsonSchema(answer) } } };
  return { description: 'Done.', content: { [(media ?? 'text/plain').split(';')[0] ?? '']: { schema: { type: 'string' } } } };
}

function parametersOf(schema: z.ZodMiniType | undefined, place: 'path' | 'query'): JsonDocument[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema) as { properties?: Record<string, object>; required?: string[] };
  return Object.entries(properties).map(([name, shape]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: shape,
  }));
}

function jsonSchema(schema: z.ZodMiniType): JsonDocument {
  const { $schema: _dialect, ...shape } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return shape;
}

function ref(place: string): JsonDocument {
  return { $ref: `#/components/${place}` };
}

/** `GET /api/v1/runs/{run}/events` is `getRunsRunEvents`. */
function operationId({ method, path }: Route): string {
  const words = path
    .replace('/api/v1', '')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
