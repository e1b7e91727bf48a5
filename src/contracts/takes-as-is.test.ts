import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as z from 'zod/mini';
import { taskPayload } from './admission.ts';
import { ledgerEvents, takesLedgerEvent, type LedgerEventType } from './ledger.ts';
import { takesAsIs } from './takes-as-is.ts';
import { taskMessage } from './task.ts';

const sha = 'a'.repeat(64);
const letters = '0'.repeat(26);

/** Kinds of values in which schemas and their neighbours differ. */
const odd: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 53,
  Number.NaN,
  Infinity,
  '',
  'a',
  'A',
  '\n',
  `${sha}\n`,
  [],
  [undefined],
  Object.assign([], { length: 1 }),
  {},
  { a: 1 },
  JSON.parse('{"__proto__":{"a":"x"}}'),
  Object.create({ a: 'x' }),
  Object.create(null),
  new Date(0),
  new String('a'),
];

/** One place of the value is another, is gone, or has a neighbour. */
function* mutants(value: unknown): Generator {
  yield* odd;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, field] of Object.entries(value)) {
    const copy = (): Record<string, unknown> => structuredClone(value) as Record<string, unknown>;
    for (const other of mutants(field)) {
      const changed = copy();
      changed[key] = other;
      yield changed;
    }
    const less = copy();
    delete less[key];
    yield less;
  }
  if (Array.isArray(value)) return;
  for (const name of ['extra', '__proto__', 'constructor', 'toString']) {
    const more = structuredClone(value);
    Object.defineProperty(more, name, { value: 'x', enumerable: true, writable: true, configurable: true });
    yield more;
  }
}

/** A yes is the schema's own, with an equal value. */
function agrees(schema: z.ZodMiniType, check: (value: unknown) => boolean, value: unknown): void {
  if (!check(value)) return;
  const parsed = schema.safeParse(value);
  assert.equal(parsed.success, true, JSON.stringify(value));
  assert.deepEqual(parsed.data, value);
}

const item = {
  kind: 'agent',
  runId: `run_${letters}`,
  sessionId: `ses_${letters}`,
  tenant: 'default',
  agent: 'main',
  door: 'http',
  principal: {
    kind: 'service',
    id: 'tok_1',
  },
  input: 'hello',
  untrusted: [
    {
      source: 'chat:assistant',
      text: 'x',
    },
  ],
  limits: {
    usd: 0.5,
    turns: 3,
  },
};
const start = { kind: 'start', item, request: sha, policy: sha, notBeforeMs: 5 };
const resume = { kind: 'resume', run: `run_${letters}`, tenant: 'default', principal: { kind: 'user', id: 'me' } };
const message = {
  tenant_id: 'default',
  swarm_id: 's',
  agent_type: 'agent',
  shard_id: 0,
  task_id: `tsk_${letters}`,
  idempotency_key: 'k',
  payload: start,
  traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
};
const inRun = { at: '2026-01-02T03:04:05.678Z', run: 'run_1', session: 'ses_1', agent: 'main' };
const rule = { layer: 'agent', id: 'r', file: 'f', line: 3 };
const events: readonly ({ readonly type: LedgerEventType } & Record<string, unknown>)[] = [
  { type: 'run.start', ...inRun, principal: item.principal, door: 'http', inputHash: sha, pinned: sha, model: 'm', lane: 'l' },
  { type: 'run.end', ...inRun, state: 'done', files: { 'run.json': sha, 'journal.jsonl': sha }, instructions: sha },
  { type: 'model.call', ...inRun, turn: 1, model: 'm', request: sha },
  { type: 'model.result', ...inRun, turn: 1, request: sha, answer: sha, inputTokens: 3, outputTokens: 0, costMicroUsd: 0 },
  { type: 'tool.decision', ...inRun, call: 'c', tool: 't', request: sha, verdict: 'ask', rule, policy: sha, pinnedPolicy: sha },
];

test('what schemas of the record and of tasks take is found to be taken, without asking them', () => {
  for (const event of events) assert.equal(takesLedgerEvent[event.type](event), true, event.type);
  for (const payload of [start, resume]) assert.equal(takesAsIs(() => taskPayload)(payload), true, payload.kind);
  assert.equal(takesAsIs(() => taskMessage)(message), true);
});

test('nothing is taken that the schema would refuse or change, whichever place of a value is broken', () => {
  for (const event of events) {
    for (const value of mutants(event)) agrees(ledgerEvents[event.type], takesLedgerEvent[event.type], value);
  }
  for (const [schema, value] of [
    [taskPayload, start],
    [taskPayload, resume],
    [taskMessage, message],
  ] as const) {
    const check = takesAsIs(() => schema);
    for (const mutant of mutants(value)) agrees(schema, check, mutant);
  }
});

test('an event of every type that is taken is one by its schema', () => {
  const text = fc.constantFrom(sha, 'x', inRun.at, '', 'allow', 'agent', 'user', 'added', 'paused');
  const plain = fc.oneof(text, fc.nat(5), fc.boolean(), fc.constant(rule), fc.constant(item.principal), fc.array(text, { maxLength: 2 }));
  for (const type of Object.keys(ledgerEvents) as LedgerEventType[]) {
    const names = Object.keys((ledgerEvents[type]._zod.def as { readonly shape: object }).shape);
    const fields = fc.record(Object.fromEntries(names.map((name) => [name, plain])), { requiredKeys: [] });
    fc.assert(
      fc.property(fields, (given) => agrees(ledgerEvents[type], takesLedgerEvent[type], { ...inRun, ...given, type })),
      { numRuns: 50 },
    );
  }
});

/** Schemas of all kinds, also of those that are not known. */
const schemas: fc.Arbitrary<z.ZodMiniType> = fc.letrec<{ readonly schema: z.ZodMiniType }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<z.ZodMiniType>(
      z.string(),
      z.number(),
      z.int(),
      z.boolean(),
      z.null(),
      z.unknown(),
      z.literal('a'),
      z.literal(0),
      z.enum(['a', 'A']),
      z.any(),
      z.string().check(z.regex(/^a$/)),
      z.string().check(z.regex(/a/g)),
      z.string().check(z.minLength(1), z.maxLength(2)),
      z.number().check(z.gt(0)),
      z.number().check(z.gte(0), z.lt(2)),
      z.number().check(z.lte(1)),
      z.number().check(z.int()),
      z.string().check(z.trim()),
      z.string().check(z.refine((one) => one === 'a')),
      z._default(z.string(), 'a'),
      z.coerce.number(),
      z.custom<string>((one) => one === 'a'),
      z.iso.datetime(),
      z.email(),
      z.number().check(z.multipleOf(2)),
      z.date(),
      z.never(),
      z.pipe(z.string(), z.transform(Number)),
      z.record(z.enum(['a']), z.string()),
      z.undefined(),
      z.readonly(z.array(z.int())),
    ),
    tie('schema').map((one) => z.optional(one)),
    tie('schema').map((one) => z.nullable(one)),
    tie('schema').map((one) => z.array(one)),
    tie('schema').map((one) => z.array(one).check(z.minLength(1))),
    tie('schema').map((one) => z.lazy(() => one)),
    tie('schema').map((one) => z.record(z.string(), one)),
    tie('schema').map((one) => z.record(z.string().check(z.regex(/^a/)), one)),
    fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => z.union([a, b])),
    fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => z.object({ a, b })),
    fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => z.strictObject({ a, b })),
    fc.tuple(tie('schema'), tie('schema')).map(([a, b]) => z.looseObject({ a, b })),
    tie('schema').map((one) => z.catchall(z.object({ a: z.int() }), one)),
    tie('schema').map((one) => z.partial(z.strictObject({ a: one }))),
    fc
      .tuple(tie('schema'), tie('schema'))
      .map(([a, b]) => z.discriminatedUnion('k', [z.strictObject({ k: z.literal('a'), a }), z.object({ k: z.literal('A'), b })])),
  ),
})).schema;

const values: fc.Arbitrary<unknown> = fc.letrec<{ readonly value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...odd),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.record({ a: tie('value'), b: tie('value'), k: fc.constantFrom('a', 'A', 'b'), extra: tie('value') }, { requiredKeys: [] }),
  ),
})).value;

test('of any schema and any value, what is taken comes back equal from the schema', () => {
  fc.assert(
    fc.property(schemas, fc.array(values, { maxLength: 12 }), (schema, given) => {
      const check = takesAsIs(() => schema);
      for (const value of given) agrees(schema, check, value);
    }),
    { numRuns: 3000 },
  );
});

test('a schema that is not known, or would change what it takes, is asked', () => {
  const cases: readonly (readonly [z.ZodMiniType, unknown])[] = [
    [z.object({ a: z.string() }), { a: 'x', b: 'dropped' }],
    [z._default(z.string(), 'a'), 'a'],
    [z.object({ a: z.optional(z.nullable(z._default(z.string(), 'a'))) }), {}],
    [z.string().check(z.trim()), ' a'],
    [z.coerce.number(), '1'],
    [z.union([z.object({ a: z.int() }), z.object({ a: z.int(), b: z.int() })]), { a: 1, b: 2 }],
    [z.pipe(z.string(), z.transform(Number)), '1'],
    [z.looseObject({}), JSON.parse('{"__proto__":1}')],
  ];

  for (const [schema, value] of cases) assert.equal(takesAsIs(() => schema)(value), false, JSON.stringify(value));
});
