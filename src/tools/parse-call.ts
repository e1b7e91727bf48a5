import { isDeeperThan, maxJsonDepth, type JsonObject, type JsonValue } from '../contracts/json.ts';
import { reasonOf } from '../contracts/errors.ts';
import type { Tool, ToolResult, ToolSet } from '../contracts/tool.ts';

export type ParsedCall = { readonly tool: Tool; readonly args: JsonObject } | { readonly refused: ToolResult };

/**
 * Finds the tool that a model named and checks the arguments as it wrote them. Nothing happens yet.
 *
 * A tool that it was not told of comes in the wire's spelling, `fs_edit`: it is found too, so that policy denies it with
 * the rule and the line that would allow it, and nobody says that it does not exist.
 */
export function parseCall(tools: ToolSet, call: { readonly name: string; readonly argumentsText: string }): ParsedCall {
  const tool = tools.get(call.name) ?? tools.tools.find(({ name }) => name.replaceAll('.', '_') === call.name);
  if (tool === undefined) {
    const names = tools.tools.map((known) => known.name).join(', ');
    return refuse('tool.unknown', `There is no tool ${JSON.stringify(call.name)}. You have: ${names === '' ? 'none' : names}.`);
  }
  let args: JsonValue;
  try {
    args = call.argumentsText.trim() === '' ? {} : (JSON.parse(call.argumentsText) as JsonValue);
  } catch (thrown) {
    return refuse('tool.bad-arguments', `The arguments of ${tool.name} are not JSON: ${reasonOf(thrown)}. Write them again.`);
  }
  if (isDeeperThan(args, maxJsonDepth))
    return refuse('tool.bad-arguments', `The arguments of ${tool.name} are nested deeper than ${maxJsonDepth} levels. Write them flatter.`);
  const parsed = tool.parse(args);
  return parsed.ok ? { tool, args: parsed.args } : refuse('tool.bad-arguments', parsed.problem);
}

function refuse(code: 'tool.unknown' | 'tool.bad-arguments', text: string): ParsedCall {
  return { refused: { isError: true, code, text } };
}
