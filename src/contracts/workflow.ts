import * as z from 'zod/mini';

/** What in a step's message stands for the words of who started the workflow. */
export const inputMark = '{{input}}';

const nameShape = /^[a-z][a-z0-9-]{0,62}$/;

/** `tenants/<tenant>/workflows/<name>.yaml`: agents one after the other, each with the output of the one before. */
export const workflowFile = z.strictObject({
  version: z.literal(1),
  description: z.optional(z.string()),
  steps: z
    .array(
      z
        .strictObject({
          agent: z.string().check(z.regex(nameShape, 'must be the name of an agent')),
          /** What the agent is told. The output of the step before comes along as untrusted data. */
          message: z.string().check(z.minLength(1), z.maxLength(64 * 1024)),
          /** A project of the tenant and one of its lanes: the step works in the project's repo. Both or neither. */
          project: z.optional(z.string().check(z.regex(nameShape, 'must be the name of a project'))),
          lane: z.optional(z.string().check(z.regex(nameShape, 'must be the name of a lane'))),
        })
        .check(z.refine(({ project, lane }) => (project === undefined) === (lane === undefined), 'must have project and lane, or neither')),
    )
    .check(z.minLength(1), z.maxLength(50)),
});
export type WorkflowFile = z.infer<typeof workflowFile>;
