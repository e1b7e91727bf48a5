import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

/** `sandbox.pool` of `clawhold.yaml`. */
export const sandboxPool = whenRead(() =>
  z.strictObject({
    /** How many wait at most, of all agents; 0: none. Default 4. */
    size: z.optional(z.number().check(z.int(), z.minimum(0), z.maximum(256))),
    /** Of all that wait together, by what an idle one costs. Default 128. */
    memoryMiB: z.optional(z.number().check(z.int(), z.positive())),
    /** One that waits longer is stopped. Default 300. */
    seconds: z.optional(z.number().check(z.int(), z.positive(), z.maximum(86_400))),
  }),
);
export type SandboxPoolSettings = z.infer<typeof sandboxPool>;
