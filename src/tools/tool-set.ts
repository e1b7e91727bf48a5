import type { HttpDoor } from '../broker/client.ts';
import type { Clock } from '../contracts/clock.ts';
import type { ToolDeclaration, ToolSet } from '../contracts/tool.ts';
import { codeSearch } from './core/code-search.ts';
import type { CoreTool, ToolLimits } from './core/define-tool.ts';
import { fsEdit } from './core/fs-edit.ts';
import { fsList } from './core/fs-list.ts';
import { fsRead } from './core/fs-read.ts';
import { fsWrite } from './core/fs-write.ts';
import { httpFetch } from './core/http-fetch.ts';
import { timeNow } from './core/time-now.ts';
import { shellExec } from './core/shell-exec.ts';
import type { CommandDoor } from './command-door.ts';
import type { Roots } from './guard.ts';

export type { CoreTool, ToolLimits };

/** The registry, in the order of the prompt. Never more than eight; each beyond the first eight names needs a decision record. */
export const coreTools: readonly CoreTool[] = [fsRead, fsList, codeSearch, fsWrite, fsEdit, shellExec, timeNow, httpFetch];

export const defaultToolLimits: ToolLimits = {
  readBytes: 256 * 1024,
  writeBytes: 4 * 1024 * 1024,
  agentFileBytes: 64 * 1024,
  listEntries: 500,
  searchMs: 10_000,
  fetchBytes: 512 * 1024,
  fetchMs: 60_000,
};

export interface ToolSetOptions {
  readonly roots: Roots;
  readonly clock: Clock;
  /** The tools that the agent has; others do not exist for it. Absent: all. */
  readonly names?: readonly string[];
  readonly limits?: Partial<ToolLimits>;
  /** Absent: http.fetch answers that nothing is reachable. */
  readonly http?: HttpDoor;
  /** Hides secrets in the text of files: the redactor's `text`. */
  readonly hide: (text: string) => string;
  /** Absent: shell.exec answers that there is no sandbox. */
  readonly commands?: CommandDoor;
}

/** Opens an agent's tools on its roots, in the registry's order. Names that are no core tool are left out. */
export function openToolSet(options: ToolSetOptions): ToolSet {
  const { roots, clock, hide, names, commands, http } = options;
  const limits = { ...defaultToolLimits, ...options.limits };
  const doors = { ...(commands === undefined ? {} : { commands }), ...(http === undefined ? {} : { http }) };
  const world = { roots, clock, hide, limits, ...doors };
  const tools = coreTools.filter((tool) => names?.includes(tool.name) ?? true).map((tool) => tool.open(world));
  return { tools, get: (name) => tools.find((tool) => tool.name === name) };
}

/** The registry for people and documents: what each tool says of itself. None of them can be performed. */
export function describeCoreTools(): readonly ToolDeclaration[] {
  return coreTools.map((tool) => tool.describe());
}
