import assert from 'node:assert/strict';
import { sha256 } from '../../contracts/json.ts';
import type { ToolPlan, ToolResult } from '../../contracts/tool.ts';
import { isRefused } from '../guard.ts';
import { displayPath, writeFault, type RootPath } from '../path.ts';
import { failure, type ToolWorld } from './define-tool.ts';
import { isResult, locatePath, refusedResult } from './locate-path.ts';

/** How redaction marks a hidden value in what an agent reads. */
export const redactionMarker = '[redacted:';

/** The place of a file that may be written, or the refusal. */
export function locateWritable(world: ToolWorld, raw: string): RootPath | ToolResult {
  const at = locatePath(raw, world.roots);
  if (isResult(at)) return at;
  if (raw.includes(redactionMarker))
    return failure('fs.redacted', `The path ${JSON.stringify(raw)} holds a redaction marker, so it is not a real path.`);
  const fault = writeFault(at, world.roots.names);
  return fault === undefined ? at : failure('fs.read-only', `The path ${displayPath(at)} ${fault}.`);
}

/** The target's bytes now; undefined when nothing is there. */
export function currentBytes(world: ToolWorld, at: RootPath, maxBytes?: number): Uint8Array | undefined | ToolResult {
  const content = world.roots.read(at, maxBytes === undefined ? {} : { maxBytes });
  if (!isRefused(content)) return content.bytes;
  return content.refused === 'fs.not-found' ? undefined : refusedResult(content);
}

export interface Change {
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array;
}

/** The plan of a change, when its size is within the limits. */
export function planOf(world: ToolWorld, at: RootPath, change: Change): ToolPlan | ToolResult {
  const target = displayPath(at);
  const limit = at.root === 'agent' ? world.limits.agentFileBytes : world.limits.writeBytes;
  if (change.after.length > limit) {
    return failure(
      'fs.too-large',
      `${target} would have ${change.after.length} bytes, more than the ${limit} allowed; nothing was changed; write less.`,
    );
  }
  return {
    target,
    after: sha256(change.after),
    afterBytes: change.after,
    ...(change.before === undefined ? {} : { before: sha256(change.before), beforeBytes: change.before }),
  };
}

/**
 * Does what was planned, if the target still is what it was then; a change that is already there is not made again.
 * The path is the call's own, which was decided upon; a plan for another target is a bug.
 */
export async function performChange(world: ToolWorld, path: string, plan: ToolPlan): Promise<ToolResult> {
  const at = locateWritable(world, path);
  if (isResult(at)) return at;
  assert.equal(displayPath(at), plan.target, 'the plan is for another target than the call');
  const data = { path: plan.target, bytes: plan.afterBytes.length, sha256: plan.after, created: plan.before === undefined };
  const now = world.roots.hash(at);
  if (now !== plan.after) {
    const written = await world.roots.write(at, plan.afterBytes, { expect: plan.before ?? 'absent' });
    if (isRefused(written)) return refusedResult(written);
  }
  const verb = plan.before === undefined ? 'Created' : plan.before === plan.after ? 'Already as asked:' : 'Changed';
  return { isError: false, text: `${verb} ${plan.target} (${plan.afterBytes.length} bytes).`, data };
}
