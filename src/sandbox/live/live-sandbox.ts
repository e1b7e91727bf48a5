import { newCapture } from '../channel/capture.ts';
import type { Channel, ChannelOutcome } from '../channel/channel.ts';
import type { ResourceGroup } from '../host/resource-group.ts';
import { SandboxGoneError, SandboxRequestError } from '../sandbox-error.ts';
import { type ExecOptions, type ExecResult, type Sandbox, type SandboxSpec, workspaceInside } from '../sandbox.ts';
import type { DiskWatch } from '../workspace/disk-watch.ts';
import type { OpenWorkspace } from '../workspace/open-workspace.ts';
import path from 'node:path';
import { watchCommand } from './watch-command.ts';

/** What a driver has set up; `release` ends and removes all of it, in whatever state it is. */
export interface LiveParts {
  readonly id: string;
  readonly driver: string;
  readonly spec: SandboxSpec;
  readonly channel: Channel;
  readonly group: ResourceGroup | undefined;
  readonly workspace: OpenWorkspace;
  readonly masked: ReadonlySet<string>;
  /** Before the first command: from then on what changes in the workspace may be the sandbox's doing, and counts. */
  readonly begin: () => Promise<DiskWatch | undefined>;
  readonly baseEnv: Readonly<Record<string, string>>;
  /** Commands of all sandboxes on the same workspace, one after the other: what is checked after one is not changed by another. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  readonly isFresh: () => Promise<boolean>;
  readonly release: () => Promise<void>;
}

const defaultKeepBytes = 1_048_576;

/** A started sandbox, whatever its driver: everything but how it was set up. */
export class LiveSandbox implements Sandbox {
  readonly #parts: LiveParts;
  #life: { readonly disk: DiskWatch | undefined; readonly timer: NodeJS.Timeout | undefined } | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #whyStopped = 'it was stopped';

  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  get id(): string {
    return this.#parts.id;
  }

  get driver(): string {
    return this.#parts.driver;
  }

  get label(): string {
    return this.#parts.spec.label;
  }

  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const result = this.#queue.then(async () => this.#parts.alone(async () => this.#execAlone(argv, options)));
    this.#queue = result.catch(() => {}); // silent-ok: the caller has the rejection
    return await result;
  }

  async copyIn(hostPath: string, insidePath: string): Promise<void> {
    await this.#parts.alone(async () => this.#parts.workspace.copyIn(hostPath, insidePath));
  }

  async copyOut(insidePath: string, hostPath: string): Promise<void> {
    await this.#parts.alone(async () => this.#parts.workspace.copyOut(insidePath, hostPath));
  }

  async isFresh(): Promise<boolean> {
    if (this.#stopping !== undefined || this.#parts.channel.goneReason !== undefined) return false;
    return await this.#parts.isFresh();
  }

  async stop(): Promise<void> {
    this.#stopping ??= this.#stopOnce();
    await this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stopOnce(): Promise<void> {
    clearTimeout(this.#life?.timer);
    this.#parts.channel.markGone(this.#whyStopped);
    await this.#parts.release();
  }

  /** One that was started ahead has no life before its first command. */
  async #begin(): Promise<DiskWatch | undefined> {
    if (this.#life !== undefined) return this.#life.disk;
    const { wallMs } = this.#parts.spec.limits;
    const disk = await this.#parts.begin();
    const timer = wallMs === undefined ? undefined : setTimeout(() => this.#endOfLife(wallMs), Math.min(wallMs, 2 ** 31 - 1));
    timer?.unref();
    this.#life = { disk, timer };
    return disk;
  }

  #endOfLife(wallMs: number): void {
    this.#whyStopped = `it reached its life of ${wallMs} ms`;
    void this.stop();
  }

  async #execAlone(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const { channel, group, workspace, spec, masked } = this.#parts;
    this.#refuseWhenGone();
    if (options.signal?.aborted === true) return abortedResult();
    const disk = await this.#begin();
    await workspace.before();
    const oomBefore = group?.oomKills() ?? 0;
    const stdout = newCapture(options.maxStdoutBytes ?? defaultKeepBytes);
    const stderr = newCapture(options.maxStderrBytes ?? defaultKeepBytes);
    const watch = watchCommand({ channel, group, disk, limits: spec.limits, options });
    const outcome = await channel
      .run({
        argv,
        cwd: absoluteInside(options.cwd ?? '.'),
        env: { ...this.#parts.baseEnv, ...spec.env, ...options.env },
        ...(options.cpuMs === undefined ? {} : { cpuSeconds: Math.max(1, Math.ceil(options.cpuMs / 1000)) }),
        stdin: options.stdin,
        onStdout: (bytes) => {
          stdout.add(bytes);
          watch.countOutput(bytes.length);
          options.onStdout?.(bytes);
        },
        onStderr: (bytes) => {
          stderr.add(bytes);
          watch.countOutput(bytes.length);
          options.onStderr?.(bytes);
        },
      })
      .finally(() => watch.stop());
    if (outcome.kind === 'gone') throw new SandboxGoneError(this.id, this.#stopping === undefined ? outcome.reason : this.#whyStopped);
    const removed = await workspace.after(masked, false);
    const outOfMemory = (group?.oomKills() ?? 0) > oomBefore;
    const output = { stdout: stdout.result(), stderr: stderr.result(), stdoutCutBytes: stdout.cutBytes, stderrCutBytes: stderr.cutBytes };
    return { ...describeEnd(outcome, watch.reason(), outOfMemory), outOfMemory, ...output, removed };
  }

  #refuseWhenGone(): void {
    if (this.#stopping !== undefined) throw new SandboxGoneError(this.id, this.#whyStopped);
    if (this.#parts.channel.goneReason !== undefined) throw new SandboxGoneError(this.id, this.#parts.channel.goneReason);
  }
}

function absoluteInside(cwd: string): string {
  if (cwd.includes('\0'))
    throw new SandboxRequestError(`The working folder ${JSON.stringify(cwd)} was not used`, 'It holds a NUL byte', 'Remove it');
  return path.posix.resolve(workspaceInside, cwd);
}

function abortedResult(): ExecResult {
  const nothing = new Uint8Array();
  return {
    end: 'aborted',
    timedOut: false,
    outOfMemory: false,
    stdout: nothing,
    stderr: nothing,
    stdoutCutBytes: 0,
    stderrCutBytes: 0,
    removed: [],
  };
}

/** Signals that a shell reports as 128 + number, on every Linux. */
const signalNames: Readonly<Record<number, NodeJS.Signals>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  5: 'SIGTRAP',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  10: 'SIGUSR1',
  11: 'SIGSEGV',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};

function describeEnd(
  outcome: Exclude<ChannelOutcome, { kind: 'gone' }>,
  stoppedFor: ExecResult['end'] | undefined,
  outOfMemory: boolean,
): Pick<ExecResult, 'end' | 'exitCode' | 'signal' | 'timedOut'> {
  if (outcome.kind === 'no-folder') return { end: 'exited', exitCode: 126, timedOut: false };
  if (outcome.kind === 'lost') {
    const end = stoppedFor ?? (outOfMemory ? 'memory-limit' : 'killed');
    return { end, signal: 'SIGKILL', timedOut: end === 'wall-limit' || end === 'cpu-limit' };
  }
  const signal = signalNames[outcome.status - 128];
  const named = signal === undefined ? {} : { signal };
  if (signal === 'SIGXCPU') return { end: 'cpu-limit', exitCode: outcome.status, signal, timedOut: true };
  if (signal === 'SIGKILL' && outOfMemory) return { end: 'memory-limit', exitCode: outcome.status, signal, timedOut: false };
  return { end: 'exited', exitCode: outcome.status, ...named, timedOut: false };
}
