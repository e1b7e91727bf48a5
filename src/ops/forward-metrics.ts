import * as z from 'zod/mini';
import { counters, histograms, type CounterName, type HistogramName, type MetricRow } from '../contracts/metric-table.ts';
import type { Metrics } from '../contracts/metrics.ts';

export interface ForwardedMetrics extends Metrics, Disposable {
  /** Sends what was counted since the last time. */
  flush(): void;
}

/** Of one message; what an executor counts in a second is far less. */
const maxEntries = 5000;

const labels = z.record(z.string().check(z.maxLength(64)), z.string().check(z.maxLength(1024)));
const entry = z.tuple([z.string().check(z.maxLength(64)), labels, z.number()]);

/** What a process tells the one that is scraped for it. */
export const metricsMessage = z.strictObject({
  kind: z.literal('metrics'),
  /** Runs at work in that process now. */
  busy: z.int().check(z.nonnegative(), z.maximum(10_000)),
  counts: z.array(entry).check(z.maxLength(maxEntries)),
  seconds: z.array(entry).check(z.maxLength(maxEntries)),
});
export type MetricsMessage = z.infer<typeof metricsMessage>;

type AnyLabels = Readonly<Record<string, string | undefined>>;

/**
 * Counts in a process that nobody scrapes, for one that is: sums of counters and each duration, sent now and then.
 *
 * Contract: increments are sent and never totals, so that a process that dies takes at most the last second with it and
 * no total ever falls; beyond a bound durations are dropped, and nothing is kept for a reader that is gone.
 */
export function forwardMetrics(options: {
  readonly send: (message: MetricsMessage) => void;
  readonly busy: () => number;
  /** Default 1000. */
  readonly everyMs?: number;
}): ForwardedMetrics {
  const counts = new Map<string, z.infer<typeof entry>>();
  let seconds: z.infer<typeof entry>[] = [];
  let toldBusy = 0;
  const flush = (): void => {
    const busy = options.busy();
    if (counts.size === 0 && seconds.length === 0 && busy === toldBusy) return;
    const message: MetricsMessage = { kind: 'metrics', busy, counts: [...counts.values()], seconds };
    counts.clear();
    seconds = [];
    toldBusy = busy;
    options.send(message);
  };
  const timer = setInterval(flush, options.everyMs ?? 1000).unref();
  return {
    count: (name, given: AnyLabels = {}, by = 1) => {
      const clean = definedIn(given);
      const key = JSON.stringify([name, clean]);
      const known = counts.get(key);
      if (known !== undefined) known[2] += by;
      else if (counts.size < maxEntries) counts.set(key, [name, clean, by]);
    },
    observe: (name, value, given: AnyLabels = {}) => {
      if (seconds.length < maxEntries) seconds.push([name, definedIn(given), value]);
    },
    flush,
    [Symbol.dispose]: () => {
      clearInterval(timer);
      flush();
    },
  };
}

/**
 * Counts what another process told. Undefined when the message is none of this, or names what the table of metrics does
 * not have: it comes from a process that executes agents, and is checked like everything from outside.
 */
export function acceptMetrics(metrics: Metrics, message: unknown): { readonly busy: number } | undefined {
  const parsed = metricsMessage.safeParse(message);
  if (!parsed.success) return undefined;
  const { busy, counts, seconds } = parsed.data;
  if (!counts.every((one) => isKnown(counters, one)) || !seconds.every((one) => isKnown(histograms, one))) return undefined;
  for (const [name, given, by] of counts) metrics.count(name as CounterName, given, by);
  for (const [name, given, value] of seconds) metrics.observe(name as HistogramName, value, given);
  return { busy };
}

function isKnown(table: Readonly<Record<string, MetricRow>>, [name, given]: z.infer<typeof entry>): boolean {
  const row = Object.hasOwn(table, name) ? table[name] : undefined;
  return row !== undefined && Object.keys(given).every((label) => row.labels.includes(label));
}

function definedIn(given: AnyLabels): Record<string, string> {
  return Object.fromEntries(Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined));
}
