import path from 'node:path';
import { systemClock } from '../../contracts/clock.ts';
import { parseTenantId } from '../../contracts/ids.ts';
import type { Tracer } from '../../contracts/trace.ts';
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
  return { queue, log, tracer, metrics: openMetrics({ version: version(), build: buildId() }) };
}
