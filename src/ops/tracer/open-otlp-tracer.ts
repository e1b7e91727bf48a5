import type { Agent } from 'node:http';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type Span as ApiSpan } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace';
import { ClawholdError } from '../../contracts/errors.ts';
import { traceIdOf, type Tracer } from '../../contracts/trace.ts';
import type { TracerOptions } from '../open-tracer.ts';
import { lossReporter, withReports } from './report-losses.ts';

const defaultTimeoutMs = 3000;

/** Batches spans and sends them as OTLP in JSON. */
export function openOtlpTracer(options: TracerOptions & { readonly url: string }): Tracer & AsyncDisposable {
  const { version = '', url, log, redact = (text) => text, timeoutMs = defaultTimeoutMs } = options;
  const http = connectionsFor(url);
  const report = lossReporter({ log, url });
  const exporter: SpanExporter = new OTLPTraceExporter({ url, timeoutMillis: timeoutMs, httpAgentOptions: () => http });
  const provider = providerFor(options, withReports(exporter, report), timeoutMs);
  const tracer = provider.getTracer('clawhold', version);
  const cleaned = (value: string | number | boolean): string | number | boolean =>
    typeof value === 'string' ? hide(redact, value) : value;
  return {
    inSpan: async (name, { parent, attributes = {} }, work) => {
      const clean = Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, cleaned(value)]));
      const span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes: clean }, contextOf(parent));
      try {
        return await work({ traceparent: traceparentOf(span), set: (key, value) => void span.setAttribute(key, cleaned(value)) });
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: nameOf(error) });
        throw error;
      } finally {
        span.end();
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (!(await endsInTime(provider.shutdown(), timeoutMs))) report(0, `no answer within ${timeoutMs} ms`);
      http.destroy();
    },
  };
}

/** Batches in a bounded buffer: what does not fit is dropped. */
function providerFor({ serviceName, version = '' }: TracerOptions, exporter: SpanExporter, timeoutMs: number): TracerProvider {
  return new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }),
    // A caller that says "not sampled" is followed; a trace that begins here is sampled.
    sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
    spanLimits: { attributeValueLengthLimit: 1024, attributeCountLimit: 64 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter,
        maxQueueSize: 2048,
        maxExportBatchSize: 512,
        scheduledDelayMillis: 1000,
        exportTimeoutMillis: timeoutMs,
      }),
    ],
  });
}

/** Connections that can be cut off at the end, so that a hanging collector does not keep the process. */
function connectionsFor(url: string): Agent {
  const { Agent: Connections } = url.startsWith('https:') ? process.getBuiltinModule('node:https') : process.getBuiltinModule('node:http');
  return new Connections({ keepAlive: true, maxSockets: 4 });
}

function contextOf(parent: string | undefined): Context {
  const traceId = traceIdOf(parent);
  if (traceId === undefined || parent === undefined) return ROOT_CONTEXT;
  const [, , spanId = '', flags = '00'] = parent.split('-');
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true });
}

function traceparentOf(span: ApiSpan): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags & 1}`;
}

/** Messages may quote what entered a run; codes do not. */
function nameOf(error: unknown): string {
  if (error instanceof ClawholdError) return error.code;
  return error instanceof Error ? error.name : 'thrown';
}

function hide(redact: (text: string) => string, text: string): string {
  try {
    return redact(text);
  } catch {
    // silent-ok: what cannot be redacted is left out.
    return '[left out]';
  }
}

/** Whether the work ended, well or not, before the time. */
async function endsInTime(work: Promise<void>, maxMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((done) => {
    timer = setTimeout(() => done(false), maxMs);
  });
  const ended = work.then(
    () => true,
    // silent-ok: withReports has said what was not sent.
    () => true,
  );
  return await Promise.race([ended, late]).finally(() => clearTimeout(timer));
}
