import * as z from 'zod/mini';

/** What in a step's message stands for the words of who started the workflow. */
export const inputMark = '{{input}}';

/** `tenants/<tenant>/workflows/<name>.yaml`: agents one after the other, each with the output of the one before. */
export const workflowFile = z.strictObject({
  version: z.literal(1),
  description: z.optional(z.string()),
  steps: z
    .array(
      z.strictObject({
        agent: z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/, 'must be the name of an agent')),
        /** What the agent is told. The output of the step before comes along as untrusted data. */
        message: z.string().check(z.minLength(1), z.maxLength(64 * 1024)),
      }),
    )
    .check(z.minLength(1), z.maxLength(50)),
});
export type WorkflowFile = z.infer<typeof workflowFile>;
