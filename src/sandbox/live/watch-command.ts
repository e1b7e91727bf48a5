import type { Channel } from '../channel/channel.ts';
import type { ResourceGroup } from '../host/resource-group.ts';
import type { ExecEnd, ExecOptions, SandboxLimits } from '../sandbox.ts';
import type { DiskWatch } from '../workspace/disk-watch.ts';

export interface WatchCommandOptions {
  readonly channel: Channel;
  readonly group: ResourceGroup | undefined;
  readonly disk: DiskWatch | undefined;
  readonly limits: SandboxLimits;
  readonly options: ExecOptions;
}

export interface CommandWatch {
  countOutput(bytes: number): void;
  /** Why it had the command killed, if it did: the first reason. */
  reason(): ExecEnd | undefined;
  stop(): void;
}

const cpuTickMs = 50;
const aliveTickMs = 1000;

/** Kills a running command when one of its limits is reached, it is aborted, or it lost all its processes unnoticed. */
export function watchCommand({ channel, group, disk, limits, options }: WatchCommandOptions): CommandWatch {
  let reason: ExecEnd | undefined;
  let written = 0;
  const end = (why: ExecEnd): void => {
    if (reason !== undefined) return;
    reason = why;
    void channel.kill();
  };
  const stack = new DisposableStack();
  const onAbort = (): void => end('aborted');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  stack.defer(() => options.signal?.removeEventListener('abort', onAbort));
  if (options.wallMs !== undefined) {
    const timer = setTimeout(() => end('wall-limit'), options.wallMs);
    stack.defer(() => clearTimeout(timer));
  }
  watchCpu(stack, { group, cpuMs: options.cpuMs, onExceeded: () => end('cpu-limit') });
  const looking = disk?.begin(() => end('disk-limit'));
  stack.defer(() => looking?.end());
  const alive = setInterval(() => {
    void endWhenLost(channel, end);
  }, aliveTickMs);
  stack.defer(() => clearInterval(alive));
  return {
    countOutput(bytes) {
      written += bytes;
      if (limits.outputBytes !== undefined && written > limits.outputBytes) end('output-limit');
    },
    reason: () => reason,
    stop: () => stack.dispose(),
  };
}

async function endWhenLost(channel: Channel, end: (why: ExecEnd) => void): Promise<void> {
  if ((await channel.countProcesses()) === 0) end('killed');
}

function watchCpu(
  stack: DisposableStack,
  watched: { readonly group: ResourceGroup | undefined; readonly cpuMs: number | undefined; readonly onExceeded: () => void },
): void {
  const { group, cpuMs } = watched;
  const before = cpuMs === undefined ? undefined : group?.cpuMs();
  if (cpuMs === undefined || before === undefined) return;
  const timer = setInterval(() => {
    if ((group?.cpuMs() ?? 0) - before > cpuMs) watched.onExceeded();
  }, cpuTickMs);
  stack.defer(() => clearInterval(timer));
}
