import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { Resource } from '../contracts/policy.ts';
import type { ArgumentDeclaration, ToolDeclaration } from '../contracts/tool.ts';
import { spelledInside } from '../governance/command-folder.ts';
import { readCommand } from '../governance/read-command.ts';
import { schemaDefault } from '../governance/resources.ts';
import { classifyPath, writeFault, type RootName } from './path.ts';

type ResourceFacts = Pick<ToolDeclaration, 'args'> & Partial<Pick<ToolDeclaration, 'parameters'>>;

/**
 * Everything a call touches, read from its arguments by their declared kinds alone, so that policy denies a call even
 * when the tool itself checks nothing.
 *
 * Contract: pure; a path that is not allowed to exist, or must not be written, becomes an `outside` resource, which
 * every policy denies; a value of the wrong type does too; an absent argument touches what its tool says it does by
 * default, which for a path is the workspace itself.
 */
export function resourcesOf(declaration: ResourceFacts, args: JsonObject, roots: readonly RootName[]): readonly Resource[] {
  return Object.entries(declaration.args).flatMap(([argument, declared]) => {
    const given = Object.hasOwn(args, argument) ? args[argument] : undefined;
    if (declared.kind === 'path')
      return valuesOf(given ?? '.').map((value) => fileResource({ tool: declaration, argument, declared, value }, roots));
    if (declared.kind === 'command') return [readCommand(argument, args, folderOf(declaration, args, roots))];
    if (declared.kind === 'host') return valuesOf(given).map((value) => hostResource(argument, value, methodOf(declaration, args)));
    return [];
  });
}

function folderOf(tool: ResourceFacts, args: JsonObject, roots: readonly RootName[]): Parameters<typeof readCommand>[2] {
  const cwd = Object.hasOwn(args, 'cwd') ? args['cwd'] : undefined;
  if (cwd === undefined || cwd === null) return { root: 'workspace', path: '.' };
  return typeof cwd === 'string' ? classifyPath(spelledInside(tool, 'cwd', cwd), roots) : { outside: true, why: 'is not text' };
}

function valuesOf(value: JsonValue | undefined): readonly JsonValue[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? (value as readonly JsonValue[]) : [value];
}

interface Given {
  readonly tool: ResourceFacts;
  readonly argument: string;
  readonly declared: ArgumentDeclaration;
  readonly value: JsonValue;
}

function fileResource({ tool, argument, declared, value }: Given, roots: readonly RootName[]): Resource {
  if (typeof value !== 'string') return { kind: 'outside', argument, raw: JSON.stringify(value), why: 'is not text' };
  const at = classifyPath(spelledInside(tool, argument, value), roots);
  if ('outside' in at) return { kind: 'outside', argument, raw: value, why: at.why };
  const access = declared.access ?? 'read';
  const fault = access === 'write' ? writeFault(at, roots) : undefined;
  if (fault !== undefined) return { kind: 'outside', argument, raw: value, why: fault };
  return { kind: 'file', argument, root: at.root, path: at.path, access };
}

function hostResource(argument: string, value: JsonValue, method: { readonly method?: string }): Resource {
  const url = typeof value === 'string' ? URL.parse(value.includes('://') ? value : `https://${value}`) : null;
  if (url === null || url.hostname === '')
    return { kind: 'outside', argument, raw: typeof value === 'string' ? value : JSON.stringify(value), why: 'is not a host or URL' };
  const port = url.port === '' ? defaultPorts[url.protocol] : Number(url.port);
  return { kind: 'host', argument, host: url.hostname.replace(/\.$/, ''), ...(port === undefined ? {} : { port }), ...method };
}

const defaultPorts: Readonly<Record<string, number | undefined>> = { 'https:': 443, 'http:': 80 };

/** A method that is left out is its schema's default. */
function methodOf(declaration: ResourceFacts, args: JsonObject): { readonly method?: string } {
  const given = Object.hasOwn(args, 'method') ? args['method'] : undefined;
  const method =
    given ?? (declaration.parameters === undefined ? undefined : schemaDefault({ parameters: declaration.parameters }, 'method'));
  return typeof method === 'string' ? { method: method.toUpperCase() } : {};
}
