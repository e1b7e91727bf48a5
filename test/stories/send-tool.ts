import fs from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { Tool } from '../../src/contracts/tool.ts';
import type { OpenTools } from '../../src/worker/worker-context.ts';

/** A tool whose effect cannot be looked at afterwards, as a message to somebody: it adds a line to `outbox`. */
function sendTool(root: string): Tool {
  return {
    name: 'test.send',
    summary: 'Sends a text to somebody.',
    parameters: {
      type: 'object',
      properties: { to: { type: 'string' }, text: { type: 'string' } },
      required: ['to', 'text'],
      additionalProperties: false,
    },
    effects: ['mutating', 'outside'],
    args: { to: { role: 'destination' }, text: { role: 'content' } },
    structured: [],
    recovery: 'ask-human',
    parse: (args) => ({ ok: true, args: args as JsonObject }),
    perform: async (args) => {
      fs.appendFileSync(path.join(root, 'outbox'), `${JSON.stringify(args)}\n`);
      return { isError: false, text: 'Sent.' };
    },
  };
}

/** The agent's tools, and this one. */
export function withSendTool(open: OpenTools, root: string): OpenTools {
  const tools = [...open.tools.tools, sendTool(root)];
  return { ...open, tools: { tools, get: (name) => tools.find((tool) => tool.name === name) } };
}
