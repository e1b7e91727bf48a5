import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

const name = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be a lower-case letter, then lower-case letters, digits or hyphens (63 at most)'));
const effect = z.enum(['read', 'private', 'mutating', 'outside']);

/** `agents/<id>/mcp.yaml`: what the servers of agent.yaml offered when a human looked. Any other is refused. */
export const mcpPins = whenRead(() =>
  z.strictObject({
    version: z.literal(1),
    servers: z.record(
      name,
      z.strictObject({
        /** Hash of command, environment and hosts in agent.yaml. */
        server: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
        /** Offered to the model without starting the server. */
        tools: z.record(
          z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/)),
          z.strictObject({
            description: z.string(),
            parameters: z.record(z.string(), z.json()),
            /** What its calls do; absent: the strictest, private and mutating and outside. */
            effects: z.optional(z.array(effect)),
            /** By argument: what it decides; absent: a destination. */
            args: z.optional(
              z.record(
                z.string(),
                z.strictObject({ role: z.enum(['destination', 'selector', 'content']), kind: z.optional(z.enum(['host', 'text'])) }),
              ),
            ),
          }),
        ),
      }),
    ),
  }),
);
export type McpPins = z.infer<typeof mcpPins>;
