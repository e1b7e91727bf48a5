import * as z from 'zod/mini';
import type { ToolPlan, ToolResult } from '../../contracts/tool.ts';
import { currentBytes, locateWritable, performChange, planOf, redactionMarker } from './change-file.ts';
import { defineTool, failure, type CoreTool, type ToolWorld } from './define-tool.ts';
import { isResult } from './locate-path.ts';

const wellFormed = z.string().check(z.refine((text) => text.isWellFormed(), { message: 'must be well-formed Unicode' }));
const schema = z.strictObject({ path: z.string(), content: wellFormed });
type Arguments = z.output<typeof schema>;

export const fsWrite: CoreTool = defineTool({
  name: 'fs.write',
  summary: 'Create or replace a whole file; makes its folders.',
  schema,
  effects: ['mutating'],
  args: { path: { role: 'destination', kind: 'path', access: 'write' }, content: { role: 'content' } },
  structured: [],
  recovery: 'compare-target',
  open: (world) => ({
    plan: async (args) => plan(world, args),
    async perform(args, options) {
      const planned = options.plan ?? plan(world, args);
      return isResult(planned) ? planned : await performChange(world, args.path, planned);
    },
  }),
});

function plan(world: ToolWorld, args: Arguments): ToolPlan | ToolResult {
  const at = locateWritable(world, args.path);
  if (isResult(at)) return at;
  if (args.content.includes(redactionMarker)) {
    return failure(
      'fs.redacted',
      `Nothing was written to ${args.path}: the content holds a redaction marker (${redactionMarker}…), which would replace the real value that you cannot see. Leave that part as it is and use fs.edit around it.`,
    );
  }
  const before = currentBytes(world, at);
  if (before !== undefined && 'isError' in before) return before;
  return planOf(world, at, { before, after: Buffer.from(args.content, 'utf8') });
}
