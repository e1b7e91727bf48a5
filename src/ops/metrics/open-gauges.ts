import assert from 'node:assert/strict';
import { Gauge, type Registry } from 'prom-client';
import { gauges, type MetricRow } from '../../contracts/metric-table.ts';
import type { GaugeLabels, GaugeName } from '../../contracts/metrics.ts';
import type { LabelBounds } from './bound-labels.ts';
import { readInTime } from './read-in-time.ts';

export interface GaugeSample<N extends GaugeName> {
  readonly labels?: GaugeLabels<N>;
  readonly value: number;
}

export type ReadGauge<N extends GaugeName> = () => readonly GaugeSample<N>[] | Promise<readonly GaugeSample<N>[]>;

/** Gauges that are read when somebody scrapes. Samples with the same labels are summed. */
export interface Gauges {
  readonly add: <N extends GaugeName>(name: N, read: ReadGauge<N>) => void;
  read(): Promise<void>;
}

export interface GaugesContext {
  readonly bound: LabelBounds['bound'];
  readonly onFailure: (name: string) => void;
  readonly readMs: number;
}

export function prefixed(name: string): string {
  return `clawhold_${name}`;
}

interface AnySample {
  readonly labels?: Readonly<Record<string, string | undefined>>;
  readonly value: number;
}

interface OpenGauge {
  readonly metric: Gauge;
  readonly hasNoLabels: boolean;
  readonly readers: (() => readonly AnySample[] | Promise<readonly AnySample[]>)[];
}

export function openGauges(registry: Registry, { bound, onFailure, readMs }: GaugesContext): Gauges {
  const open = new Map<string, OpenGauge>();
  return {
    add: (name, read) => {
      const row: MetricRow | undefined = gauges[name];
      assert(row, `there is no gauge ${name} in contracts/metric-table.ts`);
      let gauge = open.get(name);
      if (gauge === undefined) {
        const metric = new Gauge({ name: prefixed(name), help: row.help, labelNames: [...row.labels], registers: [registry] });
        open.set(name, (gauge = { metric, hasNoLabels: row.labels.length === 0, readers: [] }));
      }
      gauge.readers.push(read);
    },
    read: async () => {
      const all = [...open].flatMap(([name, { readers }]) => readers.map((reader) => ({ name, reader })));
      const found = await Promise.all(all.map(async ({ name, reader }) => ({ name, samples: await readInTime(reader, readMs) })));
      for (const { metric, hasNoLabels } of open.values()) {
        metric.reset();
        // A gauge without labels would be 0 now, which is a value; nothing is known yet.
        if (hasNoLabels) metric.remove();
      }
      for (const { name, samples } of found) {
        if (samples === undefined) onFailure(name);
        for (const { labels, value } of samples ?? []) if (Number.isFinite(value)) open.get(name)?.metric.inc(bound(labels ?? {}), value);
      }
    },
  };
}
