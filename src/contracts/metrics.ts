import type { CounterName, counters, GaugeName, gauges, HistogramName, histograms } from './metric-table.ts';

export type { CounterName, GaugeName, HistogramName };
export type CounterLabels<N extends CounterName> = Readonly<Partial<Record<(typeof counters)[N]['labels'][number], string>>>;
export type HistogramLabels<N extends HistogramName> = Readonly<Partial<Record<(typeof histograms)[N]['labels'][number], string>>>;
export type GaugeLabels<N extends GaugeName> = Readonly<Partial<Record<(typeof gauges)[N]['labels'][number], string>>>;

/** Counts what happens. Names and labels are those of metric-table.ts: Prometheus', without the prefix `clawhold_`. */
export interface Metrics {
  count<N extends CounterName>(name: N, labels?: CounterLabels<N>, by?: number): void;
  /** Into a histogram: seconds. */
  observe<N extends HistogramName>(name: N, seconds: number, labels?: HistogramLabels<N>): void;
}

export const noMetrics: Metrics = { count: () => {}, observe: () => {} };
