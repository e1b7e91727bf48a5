import * as z from 'zod/mini';
import { FixRequestError } from '../../contracts/errors.ts';

const regexText = z.string().check(
  z.minLength(1),
  z.maxLength(500),
  z.refine((text) => isRegex(text), 'must be a JavaScript regular expression'),
);

const count = z.number().check(z.int(), z.nonnegative());

const turn = z.strictObject({
  /** Played only when the results since the last turn match; otherwise skipped. */
  if: z.optional(regexText),
  say: z.optional(z.string()),
  calls: z.optional(z.array(z.strictObject({ tool: z.string().check(z.minLength(1)), args: z.optional(z.record(z.string(), z.json())) }))),
  usage: z.optional(z.strictObject({ inputTokens: count, outputTokens: count })),
  /** Instead of an answer, a failure: an HTTP status, silence until the signal ends it, or a stream that breaks after `say`. */
  fail: z.optional(
    z.union([z.strictObject({ status: z.number().check(z.int(), z.minimum(300), z.maximum(599)) }), z.literal('hang'), z.literal('cut')]),
  ),
});
export type ScriptTurn = z.infer<typeof turn>;

/** A scripted model: the first branch whose `when` matches the last message of the user is played, turn by turn. */
export const scriptFile = z.strictObject({
  version: z.literal(1),
  branches: z.array(z.strictObject({ when: z.optional(regexText), turns: z.array(turn).check(z.minLength(1)) })).check(z.minLength(1)),
});
export type Script = z.infer<typeof scriptFile>;

/** @throws FixRequestError `models.bad-script` with every violation */
export function parseScript(value: unknown, shownPath: string): Script {
  const parsed = scriptFile.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.map(String).join('.') || 'the file'}: ${issue.message}`);
  throw new FixRequestError(
    'models.bad-script',
    `The script ${shownPath} cannot be played: ${problems.join('; ')}. Correct it as docs/scripted-models.md says.`,
  );
}

function isRegex(text: string): boolean {
  try {
    return new RegExp(text, 'iu') instanceof RegExp;
  } catch {
    // silent-ok: the answer is the value
    return false;
  }
}
