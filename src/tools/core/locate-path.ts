import type { ToolResult } from '../../contracts/tool.ts';
import { makeVisible } from '../../governance/visible.ts';
import type { Refused, Roots } from '../guard.ts';
import { classifyPath, displayPath, type RootPath } from '../path.ts';
import { isProtectedName } from '../path/name-fault.ts';
import { failure } from './define-tool.ts';

/** The place that a model's path names, or the result that refuses it. */
export function locatePath(raw: string, roots: Roots): RootPath | ToolResult {
  const at = classifyPath(raw, roots.names);
  if (!('outside' in at)) return at;
  const isProtected = raw.split(/[/\\]/).some(isProtectedName);
  return failure(isProtected ? 'fs.protected' : 'fs.outside', `The path ${makeVisible(JSON.stringify(raw))} ${at.why}.`);
}

export function isResult(value: object): value is ToolResult {
  return 'isError' in value;
}

export function refusedResult(refused: Refused): ToolResult {
  return failure(refused.refused, refused.text);
}

/** The origin of a file's text, for its label. */
export function sourceOf(at: RootPath): string {
  const memory = at.root === 'agent' ? /^memory\/(.+)\.md$/.exec(at.path)?.[1] : undefined;
  return memory === undefined ? `file:${displayPath(at)}` : `memory:${memory}`;
}
