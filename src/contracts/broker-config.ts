import * as z from 'zod/mini';

/** `tenants/<tenant>/broker.yaml`: which tools may ask for a credential. What is not here is refused. */
export const brokerPolicy = z.strictObject({
  version: z.literal(1),
  /** By tool name. */
  tools: z.optional(
    z.record(
      z.string().check(z.regex(/^[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*$/, 'must be the whole name of one tool')),
      z.strictObject({
        /** `host:port` that the tool may call. */
        hosts: z.array(z.string().check(z.regex(/^[a-z0-9.-]+:[1-9][0-9]{0,4}$/, 'must be host:port in lower case'))),
        /** Name of the secret that the call carries; it must name the same host. */
        secret: z.optional(z.string().check(z.regex(/^[A-Z][A-Z0-9_]{0,62}$/, 'must be the NAME of a secret'))),
        /** For people and reports; `high` for what cannot be taken back. */
        risk: z.optional(z.enum(['low', 'medium', 'high'])),
        /** How long a token lives: 60 when absent, 300 at most. */
        seconds: z.optional(z.number().check(z.int(), z.positive(), z.maximum(300))),
      }),
    ),
  ),
});
export type BrokerPolicy = z.infer<typeof brokerPolicy>;
