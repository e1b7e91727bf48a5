import type { Executor } from '../worker/execute-tasks.ts';
import type { App } from './app.ts';
import { serveExecutor } from './serve/executor-parts.ts';
import { endMessageOf } from './serve/forward-ends.ts';
import { openInstallation } from './serve/open-installation.ts';
import { openServeTools } from './serve/serve-tools.ts';

/** An executor in a process of its own, started by a server. */
export interface ServedExecutor extends AsyncDisposable {
  /** Milliseconds without work. */
  idleMs(): number;
  /** From the configuration; undefined: it stays. */
  readonly idleSeconds: number | undefined;
  blame(error: unknown): boolean;
  /** Waits so long for what is at work, then gives it back. */
  drain(waitMs: number): Promise<void>;
  readonly drainSeconds: number;
}

/** Opens queue and database for itself, and takes as many tasks at a time as are configured for one process. */
export async function openServedExecutor(app: App): Promise<ServedExecutor> {
  await using opening = new AsyncDisposableStack();
  const installation = opening.use(await openInstallation(app));
  const work: { executor?: Executor } = {};
  const metricsWay = { send: tell, busy: () => work.executor?.busy ?? 0 };
  const tools = await openServeTools(opening, { installation, env: app.env, role: 'executor', metricsWay });
  const concurrency = installation.serve().executors?.perProcess ?? 1;
  const publish: Parameters<typeof serveExecutor>[0]['publish'] = (run, event) => {
    const message = endMessageOf(run, event);
    if (message !== undefined) tell(message);
  };
  const executor = (work.executor = serveExecutor({ ...tools, installation, concurrency, publish }));
  executor.start();
  const stack = opening.move();
  const { executors, drainSeconds = 30 } = installation.serve();
  return {
    idleMs: () => executor.idleMs(),
    idleSeconds: executors?.idleSeconds,
    blame: (error) => executor.blame(error),
    drain: async (waitMs) => {
      await executor.drain(waitMs);
      tools.flushMetrics();
    },
    drainSeconds,
    [Symbol.asyncDispose]: async () => {
      await executor.drain(0);
      await stack.disposeAsync();
    },
  };
}

/** To the server that started this process, as long as it is there. */
function tell(message: object): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
}
