import * as z from 'zod/mini';

const hostPort = z.string().check(z.regex(/^[a-z0-9.-]+:[1-9][0-9]{0,4}$/, 'must be host:port in lower case'));
const toolName = z.string().check(z.regex(/^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*$/, 'must be the whole name of one tool'));

const brokerRule = z.strictObject({
  /** `host:port` that the tool may call. */
  hosts: z.array(hostPort),
  /** Name of the secret that the call carries; it must name the same host. */
  secret: z.optional(z.string().check(z.regex(/^[A-Z][A-Z0-9_]{0,62}$/, 'must be the NAME of a secret'))),
  /** For people and reports; `high` for what cannot be taken back. */
  risk: z.optional(z.enum(['low', 'medium', 'high'])),
  /** How long a token lives: 60 when absent, 300 at most. */
  seconds: z.optional(z.number().check(z.int(), z.positive(), z.maximum(300))),
});
export type BrokerRule = z.infer<typeof brokerRule>;

/**
 * `tenants/<tenant>/broker.yaml`: which tools may ask for a credential. With `tools`, what is not there is refused;
 * without, each tool may carry the secrets that humans kept, to the hosts that each secret names.
 */
export const brokerPolicy = z.strictObject({
  version: z.literal(1),
  /** By tool name: `http.fetch`, `shell.exec`, `mcp.<server>`. */
  tools: z.optional(z.record(toolName, z.union([brokerRule, z.array(brokerRule)]))),
  /** Written by `clawhold broker revoke`: what matches gets no credential, and its tokens are worth nothing. */
  revoked: z.optional(
    z.array(
      z.strictObject({
        run: z.optional(z.string()),
        agent: z.optional(z.string()),
        tool: z.optional(toolName),
        reason: z.string(),
      }),
    ),
  ),
});
export type BrokerPolicy = z.infer<typeof brokerPolicy>;

/** The rules of a tool, in their order. */
export function rulesOf({ tools = {} }: BrokerPolicy, tool: string): readonly BrokerRule[] {
  const found = Object.hasOwn(tools, tool) ? tools[tool] : undefined;
  if (found === undefined) return [];
  return Array.isArray(found) ? found : [found];
}
