import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { Resource } from '../contracts/policy.ts';
import type { ArgumentDeclaration, ToolDeclaration } from '../contracts/tool.ts';
import { readAgentPath } from './agent-path.ts';
import { spelledInside } from './command-folder.ts';
import { readCommand } from './read-command.ts';
import { readHost } from './policy/host-pattern.ts';

/**
 * What a call touches, read from its arguments by their declared kinds. An absent path argument means its schema's
 * default, otherwise the workspace itself, so that a search without a path is a search of everything.
 */
export function readResources(declaration: ToolDeclaration, args: JsonObject, rootNames: readonly string[]): readonly Resource[] {
  const resources: Resource[] = [];
  for (const [argument, declared] of Object.entries(declaration.args)) {
    if (declared.kind === 'command') resources.push(readCommand(argument, args, folderOf(declaration, args, rootNames)));
    if (declared.kind !== 'path' && declared.kind !== 'host') continue;
    const given = Object.hasOwn(args, argument) ? args[argument] : undefined;
    const value = given ?? schemaDefault(declaration, argument) ?? (declared.kind === 'path' ? '.' : undefined);
    if (value === undefined) continue;
    for (const raw of leavesOf(value)) {
      resources.push(
        declared.kind === 'path'
          ? fileResource(argument, raw, { tool: declaration, declared, rootNames })
          : hostResource(argument, raw, methodOf(declaration, args)),
      );
    }
  }
  return resources;
}

function folderOf(tool: ToolDeclaration, args: JsonObject, rootNames: readonly string[]): Parameters<typeof readCommand>[2] {
  const cwd = Object.hasOwn(args, 'cwd') ? args.cwd : '.';
  const read = readAgentPath(typeof cwd === 'string' ? spelledInside(tool, 'cwd', cwd) : cwd, rootNames);
  return read.ok ? { root: read.root, path: read.path } : { outside: true, why: read.why };
}

/** The default of a top-level argument in the tool's JSON Schema. */
export function schemaDefault(declaration: Pick<ToolDeclaration, 'parameters'>, argument: string): JsonValue | undefined {
  const properties = declaration.parameters.properties;
  if (!isObject(properties) || !Object.hasOwn(properties, argument)) return undefined;
  const property = properties[argument];
  return isObject(property) && Object.hasOwn(property, 'default') ? property.default : undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value);
}

function leavesOf(value: JsonValue): readonly JsonValue[] {
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
}

function fileResource(
  argument: string,
  raw: JsonValue,
  {
    tool,
    declared,
    rootNames,
  }: { readonly tool: ToolDeclaration; readonly declared: ArgumentDeclaration; readonly rootNames: readonly string[] },
): Resource {
  const read = readAgentPath(typeof raw === 'string' ? spelledInside(tool, argument, raw) : raw, rootNames);
  if (!read.ok) return { kind: 'outside', argument, raw: textOf(raw), why: read.why };
  return { kind: 'file', argument, root: read.root, path: read.path, access: declared.access ?? 'read' };
}

function hostResource(argument: string, raw: JsonValue, method: string | undefined): Resource {
  const read = typeof raw === 'string' ? readHost(raw) : undefined;
  if (read === undefined) return { kind: 'outside', argument, raw: textOf(raw), why: 'is neither an http address nor a host' };
  return {
    kind: 'host',
    argument,
    host: read.host,
    ...(read.port === undefined ? {} : { port: read.port }),
    ...(method === undefined ? {} : { method }),
  };
}

function methodOf(declaration: ToolDeclaration, args: JsonObject): string | undefined {
  const given = Object.hasOwn(args, 'method') ? args.method : undefined;
  const method = given ?? schemaDefault(declaration, 'method');
  return typeof method === 'string' ? method.toUpperCase() : undefined;
}

function textOf(raw: JsonValue): string {
  return typeof raw === 'string' ? raw : JSON.stringify(raw);
}
