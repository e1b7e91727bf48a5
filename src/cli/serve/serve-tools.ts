import path from 'node:path';
import { systemClock } from '../../contracts/clock.ts';
import { parseTenantId, type TenantId } from '../../contracts/ids.ts';
import { taskIdOf } from '../../contracts/task.ts';
import type { Tracer } from '../../contracts/trace.ts';
import { followRecord } from '../../ops/follow-record.ts';
import { openLog, type OpenLog } from '../../ops/open-log.ts';
import { openTracer } from '../../ops/open-tracer.ts';
import { openMetrics, type OpenMetrics } from '../../ops/open-metrics.ts';
import { openQueue } from '../../state/open-queue.ts';
import type { Queue } from '../../state/queue.ts';
import { buildId, version } from '../build-id.ts';
import type { Env } from '../app.ts';
import type { Installation } from './open-installation.ts';

/** What every part of a serving process uses. */
export interface ServeTools {
  readonly queue: Queue;
  readonly log: OpenLog;
  readonly metrics: OpenMetrics;
  readonly tracer: Tracer;
}

/** Opens them on the stack. */
export async function openServeTools(
  stack: AsyncDisposableStack,
  { installation, env, role }: { readonly installation: Installation; readonly env: Env; readonly role: string },
): Promise<ServeTools> {
  const { telemetry } = installation.serve();
  const redactor = await installation.appOf(parseTenantId('default')).redactor();
  const level = telemetry?.logLevel === undefined ? {} : { level: telemetry.logLevel };
  const log = stack.use(openLog({ ...level, redact: (text) => redactor.text(text), fields: { role, pid: process.pid } }));
  const endpoint = telemetry?.endpoint ?? env['OTEL_EXPORTER_OTLP_ENDPOINT'];
  const tracer = stack.use(
    await openTracer({ endpoint, serviceName: `clawhold-${role}`, log, version: version(), redact: (text) => redactor.text(text) }),
  );
  const queue = stack.use(await openQueue({ driver: 'sqlite', file: path.join(installation.home.dir, 'queue.db'), clock: systemClock }));
  const metrics = openMetrics({ version: version(), build: buildId() });
  const traced = endpoint === undefined || endpoint === '' ? {} : { tracer };
  installation.follow(followRecord({ metrics, log, ...traced, traceOf: traceFinder(queue) }));
  return { queue, log, tracer, metrics };
}

/** The queue knows which request a run came from, in whichever process it runs; asked once for a run. */
function traceFinder(queue: Queue): (tenant: string, run: string) => Promise<string | undefined> {
  const known = new Map<string, Promise<string | undefined>>();
  return (tenant, run) => {
    const found = known.get(run) ?? queue.get(tenant as TenantId, taskIdOf(run)).then((task) => task?.message.traceparent);
    if (known.size >= 1000) known.clear();
    known.set(run, found);
    return found;
  };
}
