import * as z from 'zod/mini';
import type { ToolPlan, ToolResult } from '../../contracts/tool.ts';
import { displayPath } from '../path.ts';
import { applyPatch } from './apply-patch.ts';
import { currentBytes, locateWritable, performChange, planOf, redactionMarker } from './change-file.ts';
import { defineTool, failure, type CoreTool, type ToolWorld } from './define-tool.ts';
import { similarLines, type EditOutcome } from './edit-outcome.ts';
import { isResult, sourceOf } from './locate-path.ts';
import { replaceTexts } from './replace-text.ts';
import { binaryKind, decodeText } from './text-file.ts';

const schema = z
  .strictObject({
    path: z.string(),
    edits: z.optional(
      z
        .array(z.strictObject({ oldText: z.string(), newText: z.string(), replaceAll: z.optional(z.boolean()) }))
        .check(z.minLength(1), z.maxLength(100)),
    ),
    patch: z.optional(z.string()),
  })
  .check(
    z.refine((args) => (args.edits === undefined) !== (args.patch === undefined), {
      message: 'must have exactly one of `edits` and `patch`',
    }),
    z.refine((args) => [args.patch, ...(args.edits ?? []).map(({ newText }) => newText)].every((text) => text?.isWellFormed() !== false), {
      message: 'must be well-formed Unicode',
    }),
  );
type Arguments = z.output<typeof schema>;

export const fsEdit: CoreTool = defineTool({
  name: 'fs.edit',
  summary: 'Change an existing text file by exact replacements (oldText must occur once) or one unified diff. All or nothing.',
  schema,
  hints: { patch: 'unified diff of this file' },
  effects: ['mutating'],
  args: { path: { role: 'destination', kind: 'path', access: 'write' }, edits: { role: 'content' }, patch: { role: 'content' } },
  structured: [],
  recovery: 'compare-target',
  open: (world) => ({
    plan: async (args, _signal, options) => plan(world, args, options?.mayQuote ?? true),
    async perform(args, options) {
      const planned = options.plan ?? plan(world, args, true);
      return isResult(planned) ? planned : await performChange(world, args.path, planned);
    },
  }),
});

function plan(world: ToolWorld, args: Arguments, mayQuote: boolean): ToolPlan | ToolResult {
  const at = locateWritable(world, args.path);
  if (isResult(at)) return at;
  const path = displayPath(at);
  const before = currentBytes(world, at, world.limits.writeBytes);
  if (before === undefined) return failure('fs.not-found', `${path} does not exist, so it cannot be edited; create it with fs.write.`);
  if ('isError' in before) return before;
  const text = decodeText(before);
  if (text === undefined) return failure('fs.binary', `${path} is not UTF-8 text but ${binaryKind(before)}; it cannot be edited.`);
  const outcome = edit(text, args);
  // The problem quotes lines of the file, so it has the file's label.
  if ('code' in outcome) {
    const { code, problem, missing } = outcome;
    const alike = missing === undefined || !mayQuote ? '' : similarLines(world.hide(missing.text), missing.wanted);
    return failure(code, `${path} was not changed. ${problem}${alike}`, { source: sourceOf(at) });
  }
  if (count(outcome.text, redactionMarker) > count(text, redactionMarker)) {
    return failure(
      'fs.redacted',
      `${path} was not changed: the edit would write a redaction marker (${redactionMarker}…) in place of a value that you cannot see. Edit around it.`,
    );
  }
  if (outcome.text === text) return failure('edit.no-change', `${path} was not changed: the edit leaves it as it is.`);
  return planOf(world, at, { before, after: Buffer.from(outcome.text, 'utf8') });
}

function edit(text: string, args: Arguments): EditOutcome {
  return args.patch === undefined ? replaceTexts(text, args.edits ?? []) : applyPatch(text, args.patch);
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
