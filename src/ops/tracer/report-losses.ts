import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { reasonOf } from '../../contracts/errors.ts';
import type { Log } from '../../contracts/log.ts';

const quietMs = 60_000;

export type ReportLosses = (spans: number, reason: string) => void;

/** Says in the log that spans were lost: at once, then at most once a minute with how many since. */
export function lossReporter({ log, url }: { readonly log: Log; readonly url: string }): ReportLosses {
  let lost = 0;
  let lastMs = Number.NEGATIVE_INFINITY;
  return (spans, reason) => {
    lost += spans;
    const now = performance.now();
    if (now - lastMs < quietMs) return;
    log.warn('Traces could not be sent; work goes on without them.', { collector: url, lost, reason });
    lastMs = now;
    lost = 0;
  };
}

/** The exporter, with its failures reported. */
export function withReports(exporter: SpanExporter, report: ReportLosses): SpanExporter {
  return {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) report(spans.length, reasonOf(result.error));
        done(result);
      });
    },
    shutdown: async () => await exporter.shutdown(),
  };
}
