import type { AgentConfig } from '../contracts/config.ts';
import type { McpPins } from '../contracts/mcp-pins.ts';
import type { BoundaryClass } from '../contracts/isolation.ts';
import { hashJson, type JsonObject, type Sha256 } from '../contracts/json.ts';
import type { ToolDeclaration } from '../contracts/tool.ts';
import type { ListedTool } from './mcp/session.ts';

export type { ListedTool };
export type McpServer = NonNullable<AgentConfig['mcp']>[string];
export type McpPin = McpPins['servers'][string];
type PinnedTool = McpPin['tools'][string];

const toolName = /^[A-Za-z0-9_-]{1,64}$/;

/** What a pin is bound to: another command, environment or host is another server. */
export function serverHash({ command, folder, env = {}, hosts = [] }: McpServer): Sha256 {
  return hashJson({ command, env, hosts, ...(folder === undefined ? {} : { folder }) });
}

/** One difference between what was pinned and what a server offers, for a person. */
export interface PinDifference {
  readonly tool: string;
  readonly what: 'new' | 'gone' | 'description' | 'parameters' | 'bad-name';
}

export function comparePin(pin: McpPin | undefined, listed: readonly ListedTool[]): readonly PinDifference[] {
  const known = pin?.tools ?? {};
  const gone = Object.keys(known).filter((name) => listed.every((tool) => tool.name !== name));
  return [
    ...listed.flatMap((tool): PinDifference[] => {
      if (!toolName.test(tool.name)) return [{ tool: tool.name, what: 'bad-name' }];
      const pinned = Object.hasOwn(known, tool.name) ? known[tool.name] : undefined;
      if (pinned === undefined) return [{ tool: tool.name, what: 'new' }];
      const what = changeOf(pinned, tool);
      return what === undefined ? [] : [{ tool: tool.name, what }];
    }),
    ...gone.map((tool) => ({ tool, what: 'gone' as const })),
  ];
}

export function changeOf(pinned: PinnedTool, listed: ListedTool): 'description' | 'parameters' | undefined {
  if (pinned.description !== listed.description) return 'description';
  return hashJson(pinned.parameters) === hashJson(listed.parameters) ? undefined : 'parameters';
}

/**
 * The pin of what a server offers now. What a human said of effects and arguments stays with a tool whose parameters
 * are the same; anything else begins at its strictest.
 */
export function makePin(server: McpServer, listed: readonly ListedTool[], before?: McpPin): McpPin {
  const tools = listed
    .filter((tool) => toolName.test(tool.name))
    .map(({ name, description, parameters }) => {
      const old = before !== undefined && Object.hasOwn(before.tools, name) ? before.tools[name] : undefined;
      const isSame = old !== undefined && hashJson(old.parameters) === hashJson(parameters);
      const said = isSame
        ? { ...(old.effects === undefined ? {} : { effects: old.effects }), ...(old.args === undefined ? {} : { args: old.args }) }
        : {};
      return [name, { description, parameters: parameters as PinnedTool['parameters'], ...said }] as const;
    });
  return { server: serverHash(server), tools: Object.fromEntries(tools) };
}

interface Declared {
  readonly pinned: PinnedTool;
  /** Of the server: what a human demands of its sandbox. */
  readonly minimum?: BoundaryClass | undefined;
}

/** A pinned tool as policy, labels and prompt see it. Nothing of its result is a record: it is all free text. */
export function declarePinned(server: string, name: string, { pinned, minimum }: Declared): ToolDeclaration {
  const parameters = pinned.parameters as JsonObject;
  const properties = Object.keys((parameters['properties'] as JsonObject | undefined) ?? {});
  return {
    name: `mcp.${server}.${name}`,
    summary: pinned.description,
    parameters: { ...parameters, type: 'object', additionalProperties: false },
    effects: pinned.effects ?? ['private', 'mutating', 'outside'],
    args: Object.fromEntries(properties.map((argument) => [argument, declaredArgument(pinned, argument)])),
    structured: [],
    recovery: 'ask-human',
    ...(minimum === undefined ? {} : { minimumClass: minimum }),
  };
}

function declaredArgument(pinned: PinnedTool, argument: string): ToolDeclaration['args'][string] {
  const said = pinned.args !== undefined && Object.hasOwn(pinned.args, argument) ? pinned.args[argument] : undefined;
  if (said === undefined) return { role: 'destination' };
  return { role: said.role, ...(said.kind === undefined ? {} : { kind: said.kind }) };
}
