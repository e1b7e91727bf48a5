export type Labels = Readonly<Record<string, string>>;

/** Counts what happens. Names are Prometheus', with the unit at the end and without the prefix `clawhold_`. */
export interface Metrics {
  count(name: string, labels?: Labels, by?: number): void;
  /** Into a histogram: seconds. */
  observe(name: string, seconds: number, labels?: Labels): void;
}

export const noMetrics: Metrics = { count: () => {}, observe: () => {} };
