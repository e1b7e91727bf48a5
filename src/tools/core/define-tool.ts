import * as z from 'zod/mini';
import type { HttpDoor } from '../../broker/client.ts';
import type { Clock } from '../../contracts/clock.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { PerformOptions, Tool, ToolDeclaration, PlanOptions, ToolPlan, ToolResult } from '../../contracts/tool.ts';
import type { CommandDoor } from '../command-door.ts';
import type { Roots } from '../guard.ts';
import type { ToolCode } from '../tool-code.ts';
import { problemOf } from './problem.ts';

export interface ToolLimits {
  /** Of a file's text in one result. */
  readonly readBytes: number;
  /** Of a file that is written or edited. */
  readonly writeBytes: number;
  /** Of one of the agent's own files. */
  readonly agentFileBytes: number;
  readonly listEntries: number;
  readonly searchMs: number;
  /** Of an answer over HTTP, before and after it is made readable. */
  readonly fetchBytes: number;
  readonly fetchMs: number;
}

/** Everything that a core tool may use. */
export interface ToolWorld {
  readonly roots: Roots;
  readonly clock: Clock;
  readonly limits: ToolLimits;
  /** The way out; absent: this agent has none. */
  readonly http?: HttpDoor;
  /** Hides secrets. What a tool searches, shortens or shows a part of is hidden as a whole first: half a secret is not recognised. */
  readonly hide: (text: string) => string;
  /** Absent: this agent runs no commands. */
  readonly commands?: CommandDoor;
}

/** What a tool does, with its arguments already checked and typed. */
export interface ToolWork<A> {
  readonly plan?: (args: A, signal: AbortSignal, options?: PlanOptions) => Promise<ToolPlan | ToolResult>;
  readonly perform: (args: A, options: PerformOptions) => Promise<ToolResult>;
}

interface ToolSpecification<S extends z.ZodMiniType> extends Omit<ToolDeclaration, 'parameters'> {
  readonly schema: S;
  /** For the model, by argument; only where the name does not say it. */
  readonly hints?: Readonly<Record<string, string>>;
  /** Arguments in their one spelling, before anything is decided about them; the default leaves them as they are. */
  readonly settle?: (args: JsonObject, world: ToolWorld) => JsonObject;
  readonly open: (world: ToolWorld) => ToolWork<z.output<S>>;
}

/** A tool of the registry: facts as data, and a way to open it on one agent's world. */
export interface CoreTool {
  readonly name: string;
  describe(): ToolDeclaration;
  open(world: ToolWorld): Tool;
}

/** Makes a registry entry of a specification: JSON Schema and argument check come from the same zod schema. */
export function defineTool<S extends z.ZodMiniType>(specification: S extends z.ZodMiniType ? ToolSpecification<S> : never): CoreTool {
  const { schema, hints, open, settle, ...facts } = specification as ToolSpecification<S>;
  let parameters: JsonObject | undefined;
  const describe = (): ToolDeclaration => ({ ...facts, parameters: (parameters ??= parametersOf(schema, hints ?? {})) });
  const typed = (args: JsonObject): z.output<S> => z.parse(schema, args);
  return {
    name: facts.name,
    describe,
    open(world) {
      const work = open(world);
      const { plan } = work;
      const declaration = describe();
      return {
        ...declaration,
        parse: (args) => {
          const parsed = parseArguments(declaration, schema, args);
          return parsed.ok && settle !== undefined ? { ok: true, args: settle(parsed.args, world) } : parsed;
        },
        ...(plan === undefined
          ? {}
          : {
              plan: async (args: JsonObject, signal: AbortSignal, options?: PlanOptions) => await plan(typed(args), signal, options),
            }),
        perform: async (args, options) => await work.perform(typed(args), options),
      };
    },
  };
}

export function failure(code: ToolCode, text: string, more: { readonly source?: string; readonly data?: JsonObject } = {}): ToolResult {
  return { isError: true, code, text, ...more };
}

function parseArguments(declaration: ToolDeclaration, schema: z.ZodMiniType, args: JsonValue): ReturnType<Tool['parse']> {
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    return { ok: false, problem: `The arguments of ${declaration.name} must be one JSON object.` };
  // Providers with strict schemas send null for an argument that is left out.
  const given = Object.fromEntries(Object.entries(args as JsonObject).filter(([, value]) => value !== null));
  const parsed = z.safeParse(schema, given);
  if (parsed.success) return { ok: true, args: given };
  const known = Object.keys(declaration.parameters['properties'] as JsonObject).join(', ');
  return {
    ok: false,
    problem: `The arguments of ${declaration.name} are wrong: ${problemOf(parsed.error)}. It takes: ${known === '' ? 'none' : known}.`,
  };
}

/** Bounds that the argument check has anyway; a model does without, and every byte of a schema is in every prompt. */
const unsaid: ReadonlySet<string> = new Set([
  '$schema',
  'pattern',
  'minLength',
  'maxLength',
  'maxItems',
  'minItems',
  'exclusiveMinimum',
  'propertyNames',
  'maximum',
]);

function parametersOf(schema: z.ZodMiniType, hints: Readonly<Record<string, string>>): JsonObject {
  const whole = JSON.parse(
    JSON.stringify(z.toJSONSchema(schema), (key, value: unknown) => (unsaid.has(key) ? undefined : value)),
  ) as JsonObject;
  const properties = Object.entries(whole['properties'] as Record<string, JsonObject>).map(([name, property]) => {
    const hint = hints[name];
    return [name, hint === undefined ? property : { ...property, description: hint }] as const;
  });
  return { ...whole, properties: Object.fromEntries(properties) };
}
