import type { Probe, SandboxCapabilities } from './probe.ts';

/** Ceilings of one sandbox. A limit that is given and cannot be enforced here makes `start` refuse; none is ever lowered silently. */
export interface SandboxLimits {
  /** Of all processes together, page cache of the private file systems included. */
  readonly memoryBytes?: number;
  /** Address space of each process: weaker than `memoryBytes`, and enforceable without any privilege. */
  readonly processMemoryBytes?: number;
  /** CPUs' worth of time, e.g. 0.5. */
  readonly cpus?: number;
  readonly pids?: number;
  /** Of each process. */
  readonly openFiles?: number;
  /** Growth of the workspace while commands run, and size of each private file system. */
  readonly diskBytes?: number;
  /** Standard output and standard error of one command together; a command that writes more is killed. */
  readonly outputBytes?: number;
  /** Life of the whole sandbox, from its first command on. */
  readonly wallMs?: number;
}

export type LimitName = keyof SandboxLimits;

/** A path of the workspace that commands must not change (`read-only`) or not even see (`hidden`). It need not exist. */
export interface Mask {
  /** Relative to the workspace, with `/`. */
  readonly path: string;
  readonly mode: 'read-only' | 'hidden';
}

/** Where a container's files come from. Nothing is fetched by `start`. */
export type SandboxImage =
  /** An unpacked root file system on this machine. */
  | { readonly kind: 'rootfs'; readonly path: string }
  /** A tar archive of a root file system; refused when its bytes have another SHA-256. */
  | { readonly kind: 'tarball'; readonly path: string; readonly sha256: string }
  /** `name@sha256:…`: a name without a digest is refused. */
  | { readonly kind: 'name'; readonly reference: string };

export interface SandboxSpec {
  /** Run id: in names, logs and labels. Lower-case letters, digits, `_` and `-`. */
  readonly label: string;
  /** The writable folder on the host, seen as `/workspace`. Its owner decides under which user commands run. */
  readonly workspace: string;
  /** Besides `defaultMasks`. */
  readonly masks?: readonly Mask[];
  /** More folders or files, read-only: host path to absolute path inside. */
  readonly readOnly?: readonly { readonly host: string; readonly inside: string }[];
  readonly limits: SandboxLimits;
  /** `egressSocketDir` is seen, read-only, as `/run/egress`: the sockets in it are the only way out. */
  readonly network: 'none' | { readonly egressSocketDir: string };
  /** The whole environment of commands, beside PATH, HOME, LANG and TMPDIR, which it may replace. Nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** Needed by drivers that run images; others refuse it. */
  readonly image?: SandboxImage;
}

export interface ExecOptions {
  /** Absolute inside the sandbox, or relative to `/workspace`, which is the default. */
  readonly cwd?: string;
  /** Added to the sandbox's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Complete bytes, or a stream (an interactive program's input). Absent: end of file at once. */
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly wallMs?: number;
  /** CPU time of the command's whole tree where it can be counted, else of each of its processes (rounded up to seconds). */
  readonly cpuMs?: number;
  readonly onStdout?: (bytes: Uint8Array) => void;
  readonly onStderr?: (bytes: Uint8Array) => void;
  /** What the result keeps: the first and the last half of it, with a mark between. Default 1 MiB each. */
  readonly maxStdoutBytes?: number;
  readonly maxStderrBytes?: number;
  readonly signal?: AbortSignal;
}

/** Why a command is no longer running. */
export type ExecEnd = 'exited' | 'killed' | 'aborted' | 'wall-limit' | 'cpu-limit' | 'memory-limit' | 'output-limit' | 'disk-limit';

export interface ExecResult {
  readonly end: ExecEnd;
  /**
   * Absent when the command was killed. 126: not executable or no such folder, 127: not found. A command that ends by
   * a signal is reported in the shell's convention, 128 + number, which a command may also return by itself.
   */
  readonly exitCode?: number;
  readonly signal?: NodeJS.Signals;
  /** `end` is `wall-limit` or `cpu-limit`. */
  readonly timedOut: boolean;
  /** The kernel killed at least one process of the sandbox for memory while this command ran. */
  readonly outOfMemory: boolean;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** Bytes that the mark in `stdout` stands for; 0 when it is whole. */
  readonly stdoutCutBytes: number;
  readonly stderrCutBytes: number;
  /** Paths of the workspace that the command made and that were taken away again: they would act on the host. */
  readonly removed: readonly string[];
}

/**
 * One isolated place in which commands run, one after the other.
 *
 * Contract, checked for every driver by conformance.ts:
 * - the argument list reaches the program byte for byte: no shell reads it;
 * - when `exec` settles, no process that the command started is alive, also no daemon;
 * - output of a command cannot be mistaken for another command's, nor for a word of the protocol;
 * - a limit, an abort or `stop` kills the whole process tree, whatever signals it ignores;
 * - after `stop`, nothing of the sandbox remains on the host but what commands wrote in the workspace;
 * - `exec` after the sandbox ended rejects with SandboxGoneError and runs nothing.
 */
export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly driver: string;
  readonly label: string;
  /** Calls wait for each other: one command at a time. */
  exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  /** Copies a host file or folder into the workspace; links inside it are copied as links. */
  copyIn(hostPath: string, insidePath: string): Promise<void>;
  /** Copies out of the workspace, to a host path that must not exist. Sockets, devices and FIFOs are left out. */
  copyOut(insidePath: string, hostPath: string): Promise<void>;
  /** False when the world changed since the start so that its masks no longer cover the workspace, or when it ended. */
  isFresh(): Promise<boolean>;
  /** Idempotent. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly signal?: AbortSignal;
  /** The same spec will be asked for again: one may be started ahead for whoever asks next (`pool.ts`). */
  readonly again?: boolean;
}

/** Makes sandboxes of one kind. Disposing it takes away what it made ahead; its sandboxes live on. */
export interface SandboxDriver extends AsyncDisposable {
  readonly name: string;
  readonly capabilities: SandboxCapabilities;
  /** Tries it out on this machine, with a canary. Never throws. */
  probe(): Promise<Probe>;
  /** @throws SandboxUnavailableError when it cannot be set up as asked: nothing has run then. */
  start(spec: SandboxSpec, options?: StartOptions): Promise<Sandbox>;
}

/** Always masked: files that would act on the host, with the host's rights. */
export const defaultMasks: readonly Mask[] = [
  { path: '.clawhold', mode: 'hidden' },
  { path: '.git/hooks', mode: 'read-only' },
  { path: '.git/config', mode: 'read-only' },
];

export { workspaceInside } from '../contracts/isolation.ts';
export const egressInside = '/run/egress';
