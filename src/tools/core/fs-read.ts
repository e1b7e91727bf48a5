import * as z from 'zod/mini';
import { sha256 } from '../../contracts/json.ts';
import type { ToolResult } from '../../contracts/tool.ts';
import { isRefused } from '../guard.ts';
import { displayPath, type RootPath } from '../path.ts';
import { defineTool, failure, type CoreTool, type ToolWorld } from './define-tool.ts';
import { isResult, locatePath, refusedResult, sourceOf } from './locate-path.ts';
import { binaryKind, decodeText } from './text-file.ts';

const defaultLines = 2000;
const schema = z.strictObject({
  path: z.string(),
  offset: z.optional(z.number().check(z.int(), z.gte(1))),
  limit: z.optional(z.number().check(z.int(), z.gte(1))),
});

export const fsRead: CoreTool = defineTool({
  name: 'fs.read',
  summary: `Read a text file, by default its first ${defaultLines} lines.`,
  schema,
  hints: { offset: 'first line, from 1', limit: 'lines' },
  effects: ['read', 'private'],
  args: { path: { role: 'selector', kind: 'path' }, offset: { role: 'selector' }, limit: { role: 'selector' } },
  structured: [],
  recovery: 'redo',
  open: (world) => ({
    async perform(args) {
      const at = locatePath(args.path, world.roots);
      return isResult(at) ? at : readText(world, at, { offset: args.offset ?? 1, limit: args.limit ?? defaultLines });
    },
  }),
});

function readText(world: ToolWorld, at: RootPath, part: { readonly offset: number; readonly limit: number }): ToolResult {
  const path = displayPath(at);
  const content = world.roots.read(at);
  if (isRefused(content)) return refusedResult(content);
  const facts = { path, bytes: content.size, sha256: sha256(content.bytes) };
  const text = decodeText(content.bytes);
  if (text === undefined) {
    const type = binaryKind(content.bytes);
    return failure('fs.binary', `${path} is not UTF-8 text but ${type} of ${content.size} bytes; it cannot be read as text.`, {
      data: { ...facts, type },
    });
  }
  // Hidden as a whole: a part of a private key, or of a line, does not look like one.
  const lines = splitLines(world.hide(text));
  if (part.offset > Math.max(1, lines.length)) {
    return failure('tool.bad-arguments', `${path} has only ${lines.length} lines; choose a smaller offset than ${part.offset}.`, {
      data: { ...facts, lines: lines.length },
    });
  }
  const shown = takeLines(lines.slice(part.offset - 1, part.offset - 1 + part.limit), world.limits.readBytes);
  const last = part.offset - 1 + shown.count;
  const truncated = last < lines.length || shown.isCut;
  return {
    isError: false,
    text: shown.text + notice({ ...part, last, total: lines.length, isCut: shown.isCut, isEmpty: text === '' }),
    data: { ...facts, lines: lines.length, truncated },
    source: sourceOf(at),
  };
}

/** Lines with their ends, so that joining them gives the text back. */
function splitLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** Whole lines up to a size; a first line that alone is larger is cut. */
function takeLines(lines: readonly string[], maxBytes: number): { readonly text: string; readonly count: number; readonly isCut: boolean } {
  let size = 0;
  let count = 0;
  for (const line of lines) {
    const bytes = Buffer.byteLength(line);
    if (size + bytes > maxBytes) break;
    size += bytes;
    count += 1;
  }
  if (count > 0 || lines.length === 0) return { text: lines.slice(0, count).join(''), count, isCut: false };
  const cut = Buffer.from(lines[0] ?? '')
    .subarray(0, maxBytes)
    .toString('utf8')
    .replace(/\ufffd+$/, '');
  return { text: cut, count: 1, isCut: true };
}

interface Shown {
  readonly offset: number;
  readonly last: number;
  readonly total: number;
  readonly isCut: boolean;
  readonly isEmpty: boolean;
}

function notice(shown: Shown): string {
  if (shown.isEmpty) return '[the file is empty]';
  const cut = shown.isCut ? `\n[line ${shown.offset} is longer than what can be shown and was cut; find text in it with code.search]` : '';
  if (shown.last >= shown.total) return cut;
  return `${cut}\n[lines ${shown.offset} to ${shown.last} of ${shown.total}; read on with offset ${shown.last + 1}]`;
}
