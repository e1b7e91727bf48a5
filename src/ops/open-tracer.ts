import { FixRequestError } from '../contracts/errors.ts';
import type { Log } from '../contracts/log.ts';
import { passingTracer, type Tracer } from '../contracts/trace.ts';

export interface TracerOptions {
  /** Base address of an OTLP collector over HTTP, as in OTEL_EXPORTER_OTLP_ENDPOINT. Absent: contexts are only passed on. */
  readonly endpoint?: string | undefined;
  /** `clawhold-gateway`, `clawhold-executor`. */
  readonly serviceName: string;
  readonly log: Log;
  readonly version?: string;
  /** Hides secrets in attributes. */
  readonly redact?: (text: string) => string;
  /** The longest time one export may take, and the longest wait of disposal. Default 3000. */
  readonly timeoutMs?: number;
}

/**
 * Opens a tracer.
 *
 * Contract: spans of one request have one trace id in every process that passes `traceparent` on; the exporter is
 * loaded only with an endpoint; a collector that is down, slow or hanging delays no work, costs a bounded buffer, and is
 * told of in the log once a minute at most; disposing sends what is left and ends within `timeoutMs`; attributes are
 * redacted, and of an error only its code or class is sent.
 * @throws FixRequestError `ops.bad-endpoint`; `ops.insecure-endpoint` where anybody on the way could read along
 */
export async function openTracer(options: TracerOptions): Promise<Tracer & AsyncDisposable> {
  const { endpoint } = options;
  if (endpoint === undefined || endpoint === '') return { ...passingTracer, [Symbol.asyncDispose]: async () => undefined };
  const url = tracesUrl(endpoint);
  const { openOtlpTracer } = await import('./tracer/open-otlp-tracer.ts');
  return openOtlpTracer({ ...options, url });
}

/** A base address gets the signal's path. Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ */
function tracesUrl(endpoint: string): string {
  const parsed = URL.parse(endpoint);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '')
    throw new FixRequestError(
      'ops.bad-endpoint',
      `${JSON.stringify(endpoint)} is not the address of a trace collector: it must be an http or https URL without a password in it. Correct serve.telemetry.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT.`,
    );
  if (parsed.protocol === 'http:' && !isPrivatePlace(parsed.hostname))
    throw new FixRequestError(
      'ops.insecure-endpoint',
      `Traces are not sent to ${parsed.origin}, because it is plain http to another machine, and anybody on the way could read whose agents do what. Use https, or a collector on this machine (127.0.0.1) or in 100.64.0.0/10.`,
    );
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}/v1/traces`;
}

/** This machine, or the overlay, which encrypts. A parsed host has one spelling; a name may mean another machine tomorrow. */
function isPrivatePlace(host: string): boolean {
  return (
    host === 'localhost' ||
    host === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(host) ||
    /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d{1,3}\.\d{1,3}$/.test(host)
  );
}
