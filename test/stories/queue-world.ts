import path from 'node:path';
import { wire } from '../../src/cli/wire.ts';
import type { App } from '../../src/cli/app.ts';
import { systemClock } from '../../src/contracts/clock.ts';
import { newRunId, newSessionId, newTaskId, parseAgentId, type RunId, type SessionId } from '../../src/contracts/ids.ts';
import { sha256 } from '../../src/contracts/json.ts';
import { silentLog } from '../../src/contracts/log.ts';
import { noMetrics } from '../../src/contracts/metrics.ts';
import type { RunItem } from '../../src/contracts/run.ts';
import { taskIdOf, type TaskMessage } from '../../src/contracts/task.ts';
import { passingTracer } from '../../src/contracts/trace.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import type { Queue } from '../../src/state/queue.ts';
import { openExecutor, type Executor, type ExecutorContext } from '../../src/worker/execute-tasks.ts';
import type { ItemOutcome, WorkerContext } from '../../src/worker/worker-context.ts';
import type { Installation } from './installation.ts';

/** A home with a queue, and executors in the process of the test. */
export interface QueueWorld extends AsyncDisposable {
  readonly app: App;
  readonly queue: Queue;
  readonly worker: WorkerContext;
  executor(change?: Partial<ExecutorContext>): Executor;
  /** Puts runs, one a message. */
  put(inputs: readonly string[], change?: Partial<RunItem>): Promise<RunId[]>;
  resume(run: RunId): Promise<void>;
  /** Resolves when so many runs settled since the world was opened. */
  settled(count: number): Promise<readonly ItemOutcome[]>;
}

export async function queueWorld(one: Installation): Promise<QueueWorld> {
  const app = wire({ env: one.env, cwd: one.root });
  const queue = await openQueue({ driver: 'sqlite', file: path.join(one.home, 'queue.db'), clock: systemClock });
  const worker = await app.worker({ emit: () => {}, surface: 'wait' });
  const outcomes: ItemOutcome[] = [];
  const executors: Executor[] = [];
  return {
    app,
    queue,
    worker,
    executor: (change) => {
      const executor = openExecutor({
        queue,
        name: `test-${executors.length + 1}`,
        concurrency: 4,
        leaseMs: 30_000,
        log: silentLog,
        metrics: noMetrics,
        tracer: passingTracer,
        workerOf: async () => worker,
        publish: () => {},
        settled: async (_run, outcome) => void outcomes.push(outcome),
        ...change,
      });
      executors.push(executor);
      executor.start();
      return executor;
    },
    put: async (inputs, change = {}) => {
      const runs = inputs.map(() => newRunId(Date.now()));
      await queue.put(runs.map((run, index) => ({ message: startMessage(app, { run, input: inputs[index] ?? '', change }) })));
      return runs;
    },
    resume: async (run) => {
      const task = newTaskId(Date.now());
      const payload = { kind: 'resume', run, tenant: app.tenant, principal: { kind: 'user', id: 'tester' } };
      await queue.put([{ message: { ...frame(app, run), task_id: task, payload, idempotency_key: task } }]);
    },
    settled: async (count) => {
      while (outcomes.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
      return outcomes;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(executors.map(async (executor) => await executor.drain(0)));
      await queue[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

function frame(app: App, run: RunId): Pick<TaskMessage, 'tenant_id' | 'swarm_id' | 'agent_type' | 'shard_id'> {
  return { tenant_id: app.tenant, swarm_id: run, agent_type: 'agent', shard_id: 0 };
}

interface Start {
  readonly run: RunId;
  readonly input: string;
  readonly change: Partial<RunItem>;
}

function startMessage(app: App, { run, input, change }: Start): TaskMessage {
  const sessionId: SessionId = newSessionId(Date.now());
  const principal = { kind: 'service', id: 'tester' } as const;
  const item = {
    kind: 'agent',
    runId: run,
    sessionId,
    tenant: app.tenant,
    agent: parseAgentId('main'),
    door: 'http',
    principal,
    input,
    ...change,
  };
  const payload = { kind: 'start', item, request: sha256(input), policy: sha256('') } as unknown as TaskMessage['payload'];
  return { ...frame(app, run), task_id: taskIdOf(run), payload, idempotency_key: run };
}
