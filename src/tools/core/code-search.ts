import * as z from 'zod/mini';
import { ClawholdError } from '../../contracts/errors.ts';
import type { ToolResult } from '../../contracts/tool.ts';
import { displayPath, type RootPath } from '../path.ts';
import { defineTool, failure, type CoreTool } from './define-tool.ts';
import { isResult, locatePath, sourceOf } from './locate-path.ts';
import { findHits, type SearchHits } from './search-guarded.ts';
import { proposeFiles } from './search-propose.ts';

const schema = z.strictObject({
  query: z.string().check(z.minLength(1), z.maxLength(1000), z.regex(/^[^\0\n\r]*$/, 'must be one line')),
  path: z.optional(z.string()),
  glob: z.optional(z.string().check(z.maxLength(256), z.regex(/^[^!\0][^\0]*$/, 'must not be empty or begin with `!`'))),
  regex: z.optional(z.boolean()),
  ignoreCase: z.optional(z.boolean()),
  context: z.optional(z.number().check(z.int(), z.gte(0), z.lte(10))),
  limit: z.optional(z.number().check(z.int(), z.gte(1), z.lte(500))),
});

export const codeSearch: CoreTool = defineTool({
  name: 'code.search',
  summary:
    'Find lines in text files with ripgrep. The query is literal unless regex is true. Skips node_modules and what .gitignore names.',
  schema,
  hints: { context: 'lines around a hit', limit: 'hits, default 100' },
  effects: ['read', 'private'],
  args: {
    query: { role: 'selector' },
    path: { role: 'selector', kind: 'path' },
    glob: { role: 'selector' },
    regex: { role: 'selector' },
    ignoreCase: { role: 'selector' },
    context: { role: 'selector' },
    limit: { role: 'selector' },
  },
  structured: [],
  recovery: 'redo',
  open: (world) => ({
    async perform(args, { signal, mayReach }) {
      const at = locatePath(args.path ?? '.', world.roots);
      if (isResult(at)) return at;
      const query = { text: args.query, isRegex: args.regex === true, isCaseIgnored: args.ignoreCase === true };
      try {
        const proposed = await proposeFiles(world, at, { query, signal, ...(args.glob === undefined ? {} : { glob: args.glob }) });
        if ('isError' in proposed) return proposed;
        const files = proposed.files.filter((file) => mayReach?.(file) !== false);
        const hits = await findHits(world, files, { query, signal, limit: args.limit ?? 100, context: args.context ?? 0 });
        return 'isError' in hits ? hits : resultOf(at, hits, proposed.isCut);
      } catch (thrown) {
        if (!(thrown instanceof ClawholdError)) throw thrown;
        return failure('search.unavailable', thrown.publicMessage);
      }
    },
  }),
});

function resultOf(at: RootPath, hits: SearchHits, isCut: boolean): ToolResult {
  const files = [...new Set(hits.hits.map((hit) => displayPath(hit.at)))];
  const parts = files.map((path) => {
    const lines = hits.hits.filter((hit) => displayPath(hit.at) === path).flatMap((hit) => hit.lines);
    const unique = new Map(lines.toSorted((a, b) => Number(a.isHit) - Number(b.isHit)).map((line) => [line.number, line]));
    const shown = [...unique.values()].toSorted((a, b) => a.number - b.number);
    return `${path}\n${shown.map((line) => `${line.number}${line.isHit ? ':' : '-'} ${line.text}`).join('\n')}`;
  });
  const truncated = hits.isCut || isCut;
  if (parts.length === 0) parts.push('[no hits]');
  if (truncated) parts.push('[there is more; narrow the query, path or glob]');
  return {
    isError: false,
    text: parts.join('\n'),
    data: { files, hits: hits.hits.map((hit) => ({ path: displayPath(hit.at), line: hit.line })), truncated },
    source: sourceOf(at),
  };
}
