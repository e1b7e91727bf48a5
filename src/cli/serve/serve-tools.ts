import path from 'node:path';
import { systemClock } from '../../contracts/clock.ts';
import { parseTenantId, type RunId, type TenantId } from '../../contracts/ids.ts';
import type { Metrics } from '../../contracts/metrics.ts';
import { taskIdOf } from '../../contracts/task.ts';
import type { Tracer } from '../../contracts/trace.ts';
import { followRecord } from '../../ops/follow-record.ts';
import { forwardMetrics } from '../../ops/forward-metrics.ts';
import { openLog, type OpenLog } from '../../ops/open-log.ts';
import { openTracer } from '../../ops/open-tracer.ts';
import { openMetrics, type OpenMetrics } from '../../ops/open-metrics.ts';
import { openQueue } from '../../state/open-queue.ts';
import type { Queue } from '../../state/queue.ts';
import { buildId, version } from '../build-id.ts';
import type { Env } from '../app.ts';
import type { SandboxListener } from '../quota-sandboxes.ts';
import type { Installation } from './open-installation.ts';

/** What every part of a serving process uses. */
export interface ServeTools {
  readonly queue: Queue;
  readonly log: OpenLog;
  readonly metrics: OpenMetrics;
  /** Sends on what was counted for the process that is scraped. */
  readonly flushMetrics: () => void;
  readonly tracer: Tracer;
  /** Without an endpoint no steps of traces are made for what a run does. */
  readonly isTracing: boolean;
  /** Told of the step in which a run is worked on: what the run does lies below it. */
  readonly traced: (run: RunId, traceparent: string) => Disposable;
}

/** Where the figures of a process that nobody scrapes go. */
export interface MetricsWay {
  readonly send: (message: object) => void;
  readonly busy: () => number;
}

/** Opens them on the stack. */
export async function openServeTools(
  stack: AsyncDisposableStack,
  parts: { readonly installation: Installation; readonly env: Env; readonly role: string; readonly metricsWay?: MetricsWay },
): Promise<ServeTools> {
  const { installation, env, role, metricsWay } = parts;
  const { telemetry } = installation.serve();
  const redactor = await installation.appOf(parseTenantId('default')).redactor();
  const level = telemetry?.logLevel === undefined ? {} : { level: telemetry.logLevel };
  const log = stack.use(openLog({ ...level, redact: (text) => redactor.text(text), fields: { role, pid: process.pid } }));
  const endpoint = telemetry?.endpoint ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const tracer = stack.use(
    await openTracer({ endpoint, serviceName: `clawhold-${role}`, log, version: version(), redact: (text) => redactor.text(text) }),
  );
  const file = path.join(installation.home.dir, 'queue.db');
  const isFedElsewhere = metricsWay !== undefined;
  const queue = stack.use(await openQueue({ driver: 'sqlite', file, clock: systemClock, isFedElsewhere }));
  const own = openMetrics({ version: version(), build: buildId() });
  const told = metricsWay === undefined ? undefined : stack.use(forwardMetrics(metricsWay));
  const metrics = told === undefined ? own : withCounts(own, told);
  const isTracing = endpoint !== undefined && endpoint !== '';
  const { traced, traceOf } = traceFinder(queue);
  installation.follow(followRecord({ metrics, log, ...(isTracing ? { tracer } : {}), traceOf }));
  installation.followSandboxes(sandboxLog(log));
  return { queue, log, tracer, isTracing, traced, metrics, flushMetrics: () => told?.flush() };
}

/** Counts elsewhere; who is asked for a text here gets the process's own figures. */
function withCounts(own: OpenMetrics, told: Metrics): OpenMetrics {
  return {
    ...own,
    count: (name, labels, by) => told.count(name, labels, by),
    observe: (name, seconds, labels) => told.observe(name, seconds, labels),
  };
}

function sandboxLog(log: OpenLog): SandboxListener {
  return ({ what, tenant, run, sandbox }) =>
    log.info(what === 'started' ? 'a sandbox serves a run' : 'a sandbox was let go', {
      tenant_id: tenant,
      run_id: run,
      swarm_id: run,
      sandbox_id: sandbox,
    });
}

/**
 * The trace of what a run does: the step in which this process works on it, or else the request that it came from, which
 * the queue knows; asked once for a run.
 */
function traceFinder(queue: Queue): Pick<ServeTools, 'traced'> & {
  readonly traceOf: (tenant: string, run: string) => Promise<string | undefined>;
} {
  const known = new Map<string, Promise<string | undefined>>();
  const atWork = new Map<string, string>();
  return {
    traced: (run, traceparent) => {
      atWork.set(run, traceparent);
      return { [Symbol.dispose]: () => void atWork.delete(run) };
    },
    traceOf: async (tenant, run) => {
      const step = atWork.get(run);
      if (step !== undefined) return step;
      const found = known.get(run) ?? queue.get(tenant as TenantId, taskIdOf(run)).then((task) => task?.message.traceparent);
      if (known.size >= 1000) known.clear();
      known.set(run, found);
      return await found;
    },
  };
}
