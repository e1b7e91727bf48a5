import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import * as z from 'zod/mini';
import type { ToolDeclaration } from '../../src/contracts/tool.ts';

const shortForm = z.strictObject({
  tools: z.record(
    z.string(),
    z.strictObject({
      effects: z.array(z.enum(['read', 'private', 'mutating', 'outside'])),
      args: z.optional(z.record(z.string(), z.enum(['destination', 'selector', 'content']))),
      defaults: z.optional(z.record(z.string(), z.json())),
      structured: z.optional(z.array(z.string())),
    }),
  ),
});

/** Reads a file of tools in the short form that `shopping-tools.yaml` explains. */
export function readDeclarations(file: string): ReadonlyMap<string, ToolDeclaration> {
  const { tools } = shortForm.parse(parse(readFileSync(file, 'utf8')));
  return new Map(
    Object.entries(tools).map(([name, { effects, args = {}, defaults = {}, structured = [] }]) => [
      name,
      {
        name,
        summary: name,
        parameters: {
          type: 'object',
          properties: Object.fromEntries(Object.entries(defaults).map(([key, value]) => [key, { default: value }])),
        },
        effects,
        args: Object.fromEntries(Object.entries(args).map(([key, role]) => [key, { role }])),
        structured,
        recovery: 'ask-human',
      },
    ]),
  );
}
