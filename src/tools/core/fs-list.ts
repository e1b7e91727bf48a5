import * as z from 'zod/mini';
import type { ToolResult } from '../../contracts/tool.ts';
import { makeVisible } from '../../governance/visible.ts';
import { isRefused, type FolderEntry, type Listing } from '../guard.ts';
import { nameFault } from '../path/name-fault.ts';
import { displayPath, type RootPath } from '../path.ts';
import { defineTool, failure, type CoreTool, type ToolWorld } from './define-tool.ts';
import { compileGlob } from './glob.ts';
import { isResult, locatePath, refusedResult, sourceOf } from './locate-path.ts';

const maxDepth = 32;
const schema = z.strictObject({
  path: z.optional(z.string()),
  depth: z.optional(z.number().check(z.int(), z.gte(1), z.lte(maxDepth))),
  glob: z.optional(z.string().check(z.maxLength(256))),
});

export const fsList: CoreTool = defineTool({
  name: 'fs.list',
  summary: 'List a folder (default: the workspace), one level deep unless depth or glob says more.',
  schema,
  hints: { glob: 'such as *.md or src/**' },
  effects: ['read', 'private'],
  args: { path: { role: 'selector', kind: 'path' }, depth: { role: 'selector' }, glob: { role: 'selector' } },
  structured: [],
  recovery: 'redo',
  open: (world) => ({
    async perform(args, { mayReach }) {
      const at = locatePath(args.path ?? '.', world.roots);
      if (isResult(at)) return at;
      const include = args.glob === undefined ? undefined : compileGlob(args.glob);
      if (args.glob !== undefined && include === undefined)
        return failure('search.bad-query', `The glob ${JSON.stringify(args.glob)} has too many alternatives; simplify it.`);
      return list(world, at, {
        depth: args.depth ?? (include === undefined ? 1 : maxDepth),
        include: (path) => include?.(path) !== false && mayReach?.({ root: at.root, path: join(at.path, path) }) !== false,
      });
    },
  }),
});

function list(world: ToolWorld, at: RootPath, how: { readonly depth: number; readonly include?: (path: string) => boolean }): ToolResult {
  const listing = world.roots.list(at, { maxEntries: world.limits.listEntries, ...how });
  if (isRefused(listing)) return refusedResult(listing);
  const entries = listing.entries.map((entry) => ({
    ...entry,
    path: displayPath({ root: at.root, path: join(at.path, shownName(entry.path)) }),
  }));
  return {
    isError: false,
    text: textOf(entries, listing),
    data: {
      path: displayPath(at),
      entries: entries.map(({ path, kind, bytes }) => (bytes === undefined ? { path, kind } : { path, kind, bytes })),
      truncated: listing.truncated,
    },
    source: sourceOf(at),
  };
}

function textOf(entries: readonly FolderEntry[], listing: Listing): string {
  const lines = entries.map(line);
  if (lines.length === 0) lines.push('[nothing here]');
  if (listing.truncated) lines.push(`[only the first ${entries.length} are shown; list a sub-folder, or use a glob or less depth]`);
  return lines.join('\n');
}

function line(entry: FolderEntry): string {
  const unusable = entry.isReachable ? '' : ' [no tool can use it]';
  if (entry.kind === 'folder') return `${entry.path}/${unusable}`;
  if (entry.kind === 'link') return `${entry.path}@ [link, not followed]`;
  if (entry.kind === 'other') return `${entry.path} [device, FIFO or socket]`;
  return `${entry.path} ${entry.bytes ?? 0}${unusable}`;
}

function join(folder: string, path: string): string {
  return folder === '.' ? path : `${folder}/${path}`;
}

/** A name that cannot be used is shown with its hidden characters named, so that one entry is one line; others as they are. */
function shownName(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return nameFault(name) === undefined ? path : path.slice(0, path.length - name.length) + makeVisible(name);
}
