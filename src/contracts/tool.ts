import type { BoundaryClass } from './isolation.ts';
import type { JsonObject, JsonValue, Sha256 } from './json.ts';

/**
 * What a call does to the world. `read`: looks at what the agent may see anyway. `private`: its result is private
 * data of the tenant. `mutating`: changes something that stays. `outside`: reaches beyond the machine's own tenant
 * (a recipient, a host, an account). Only `mutating` and `outside` are *effects* in the sense of the flow rule.
 */
export type Effect = 'read' | 'private' | 'mutating' | 'outside';

/**
 * What an argument decides. `destination`: where something goes (recipient, URL, path, account). `selector`: which
 * object, amount, option or new secret. `content`: what is said; it is free.
 */
export type ArgumentRole = 'destination' | 'selector' | 'content';

export interface ArgumentDeclaration {
  readonly role: ArgumentRole;
  /**
   * How policy reads the value: as a path beneath the agent's roots, as a host, as a command, or as plain text. Default
   * text. A command is a list of words; the arguments `cwd`, `env` and `timeoutSeconds` beside it belong to it.
   */
  readonly kind?: 'path' | 'host' | 'command' | 'text';
  /** For a path: what the call does with it. Default `read`. */
  readonly access?: 'read' | 'write';
}

/** Facts about a tool, as data: policy, labels, prompt and documentation all read them; no code knows a tool's name. */
export interface ToolDeclaration {
  /** Dotted, e.g. `fs.read`. */
  readonly name: string;
  /** For the model: what it does, in one or two sentences. */
  readonly summary: string;
  /** JSON Schema of the arguments: `type: object`, `additionalProperties: false`. */
  readonly parameters: JsonObject;
  readonly effects: readonly Effect[];
  /** By argument name. An argument that is not declared counts as a destination: the strictest reading. */
  readonly args: Readonly<Record<string, ArgumentDeclaration>>;
  /** Fields of `ToolResult.data` that come from a system of record; everything else, the text included, is free text. */
  readonly structured: readonly string[];
  /** What a resume does with a call that was begun and has no recorded result. */
  readonly recovery: 'redo' | 'compare-target' | 'ask-human';
  /** The weakest sandbox that it may run in. Where none reaches it, the call is refused with that reason. */
  readonly minimumClass?: BoundaryClass;
}

/** Whether a tool runs commands: it exists for an agent only where a sandbox does. */
export function runsCommands(tool: Pick<ToolDeclaration, 'args'>): boolean {
  return Object.values(tool.args).some(({ kind }) => kind === 'command');
}

/** Whether a decision about it must know the sandbox of the run. */
export function needsSandbox(tool: Pick<ToolDeclaration, 'args' | 'minimumClass'>): boolean {
  return tool.minimumClass !== undefined || runsCommands(tool);
}

/** Wall time of a command whose call names none. */
export const defaultCommandSeconds = 120;

/** The answer a model gets for one call. A failure is data: the model reads it and goes on. */
export interface ToolResult {
  readonly isError: boolean;
  /** On error: stable code, e.g. `tool.bad-arguments`, `tool.unknown`, `policy.denied`, `fs.not-found`. */
  readonly code?: string;
  readonly text: string;
  readonly data?: JsonObject;
  /** Where free text of the result came from, for its label: `file:docs/a.md`, `tool:time.now`. */
  readonly source?: string;
}

/** What a call is about to change: known before it happens, so that approval, resume and undo can rely on it. */
export interface ToolPlan {
  /** Root-relative display path, e.g. `docs/a.md` or `agent:HANDOFF.md`. */
  readonly target: string;
  /** Hash of the target's bytes now; undefined when it does not exist. */
  readonly before?: Sha256;
  readonly after: Sha256;
  readonly beforeBytes?: Uint8Array;
  readonly afterBytes: Uint8Array;
}

export interface PlanOptions {
  /** False before a human has agreed to the call: a refusal then shows nothing of what the target holds. Default true. */
  readonly mayQuote?: boolean;
}

export interface PerformOptions {
  readonly signal: AbortSignal;
  readonly plan?: ToolPlan;
  /** For a tool that walks a folder: whether policy lets this call show the entry. Absent: all of them. */
  readonly mayReach?: (place: { readonly root: string; readonly path: string }) => boolean;
  /** For a tool that follows redirects: whether policy lets this call go on to the host. Absent: nowhere else. */
  readonly mayReachHost?: (hop: { readonly url: string; readonly host: string; readonly port: number; readonly method: string }) => boolean;
}

export interface Tool extends ToolDeclaration {
  /** Checks arguments against the schema; pure. */
  parse(args: JsonValue): { readonly ok: true; readonly args: JsonObject } | { readonly ok: false; readonly problem: string };
  /** For `compare-target` tools: the change the call would make. A ToolResult is the typed refusal (no such file, patch does not apply). */
  plan?(args: JsonObject, signal: AbortSignal, options?: PlanOptions): Promise<ToolPlan | ToolResult>;
  /**
   * Does it. With a plan: only if the target still has the plan's `before`, else a result with code `fs.changed`.
   * Expected failures are results; a throw is a bug or a broken surrounding.
   */
  perform(args: JsonObject, options: PerformOptions): Promise<ToolResult>;
}

/** The tools of one agent, in the order in which the prompt lists them. */
export interface ToolSet {
  readonly tools: readonly Tool[];
  get(name: string): Tool | undefined;
}
