import type { ExecResult } from '../sandbox/sandbox.ts';

/** One command as the agent asked for it. */
export interface CommandToRun {
  readonly argv: readonly string[];
  /** Beneath the workspace; absent: the workspace itself. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly seconds: number;
  readonly maxStdoutBytes: number;
  readonly maxStderrBytes: number;
}

export type CommandOutcome =
  /** `isReplaced`: earlier commands of the run had another sandbox, which is gone with all but the workspace. */
  | { readonly kind: 'ran'; readonly result: ExecResult; readonly isReplaced: boolean }
  /** Nothing was run. */
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** The sandbox ended while the command ran: what it had done by then is unknown. */
  | { readonly kind: 'died'; readonly reason: string }
  /** The command itself cannot be carried out by any sandbox; nothing was run. */
  | { readonly kind: 'refused'; readonly reason: string };

/** The one way in which a tool runs a command. */
export interface CommandDoor {
  /** Never rejects for a failure of the sandbox: that is an outcome. */
  run(command: CommandToRun, signal: AbortSignal): Promise<CommandOutcome>;
}
