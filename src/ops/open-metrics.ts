import assert from 'node:assert/strict';
import { Counter, Histogram, Registry } from 'prom-client';
import { counters, histograms, type MetricRow } from '../contracts/metric-table.ts';
import type { GaugeName, Metrics } from '../contracts/metrics.ts';
import { boundLabels } from './metrics/bound-labels.ts';
import { openGauges, prefixed, type ReadGauge } from './metrics/open-gauges.ts';
import { processGauges } from './metrics/process-gauges.ts';

export type { GaugeSample, ReadGauge } from './metrics/open-gauges.ts';

/** The metrics of one process. */
export interface OpenMetrics extends Metrics {
  readonly contentType: string;
  /** Values that are read at each scrape; a second reader of one name adds to the first. */
  gauge<N extends GaugeName>(name: N, read: ReadGauge<N>): void;
  /** The Prometheus text. Scrapes at the same time share one reading. */
  text(): Promise<string>;
}

export interface MetricsOptions {
  readonly version: string;
  readonly build?: string;
  /** Default 200: the rest counts as `_other`. */
  readonly maxTenants?: number;
  /** How long one reader of a gauge may take. Default 2000. */
  readonly readMs?: number;
}

/**
 * Opens a registry of its own.
 *
 * Contract: a label has a bounded number of values, whatever is counted; a value that is no number is not counted, and
 * a duration that a stepped clock made negative counts as 0; a reader that throws or hangs costs its own metric only,
 * and `scrape_errors_total` names it. An unknown name is a bug.
 */
export function openMetrics(options: MetricsOptions): OpenMetrics {
  const registry = new Registry();
  const { bound } = boundLabels({ tenant: options.maxTenants ?? 200 });
  const made = makeMetrics(registry);
  const count = (name: string, labels: AnyLabels = {}, by: number = 1): void => {
    const metric = made.counters.get(name);
    assert(metric, `there is no counter ${name} in contracts/metric-table.ts`);
    if (Number.isFinite(by) && by >= 0) metric.inc(bound(labels), by);
  };
  const observe = (name: string, seconds: number, labels: AnyLabels = {}): void => {
    const metric = made.histograms.get(name);
    assert(metric, `there is no histogram ${name} in contracts/metric-table.ts`);
    if (Number.isFinite(seconds)) metric.observe(bound(labels), Math.max(0, seconds));
  };
  const onFailure = (name: string): void => count('scrape_errors_total', { metric: name });
  const scraped = openGauges(registry, { bound, onFailure, readMs: options.readMs ?? 2000 });
  const { version, build = 'unknown' } = options;
  scraped.add('build_info', () => [{ labels: { version, build, node: process.versions.node }, value: 1 }]);
  for (const [name, value] of processGauges()) scraped.add(name, () => [{ value: value() }]);
  let inFlight: Promise<string> | undefined;
  const text = async (): Promise<string> => {
    await scraped.read();
    return await registry.metrics();
  };
  return {
    contentType: registry.contentType,
    count,
    observe,
    gauge: scraped.add,
    text: async () =>
      await (inFlight ??= text().finally(() => {
        inFlight = undefined;
      })),
  };
}

type AnyLabels = Readonly<Record<string, string | undefined>>;

interface MadeMetrics {
  readonly counters: ReadonlyMap<string, Counter>;
  readonly histograms: ReadonlyMap<string, Histogram>;
}

function makeMetrics(registry: Registry): MadeMetrics {
  const shared = (name: string, row: MetricRow) => ({
    name: prefixed(name),
    help: row.help,
    labelNames: [...row.labels],
    registers: [registry],
  });
  return {
    counters: new Map(Object.entries(counters).map(([name, row]) => [name, new Counter(shared(name, row))])),
    histograms: new Map(
      Object.entries(histograms).map(([name, row]) => [name, new Histogram({ ...shared(name, row), buckets: [...row.buckets] })]),
    ),
  };
}
