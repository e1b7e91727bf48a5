import { randomUUID } from 'node:crypto';

/** One step of a trace. */
export interface Span {
  /** W3C trace context, for what this step calls. Source: https://www.w3.org/TR/trace-context/ */
  readonly traceparent: string;
  set(name: string, value: string | number | boolean): void;
}

/** Follows one request through processes. Without an endpoint it only makes and passes on trace contexts. */
export interface Tracer {
  /** A thrown error marks the span as failed and goes on. */
  inSpan<T>(
    name: string,
    options: { readonly parent?: string | undefined; readonly attributes?: Readonly<Record<string, string | number | boolean>> },
    work: (span: Span) => Promise<T>,
  ): Promise<T>;
}

const shape = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/** The trace id in a trace context; undefined when the text is none, or its ids are all zeros. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  const found = shape.exec(traceparent ?? '');
  return found === null || /^0+$/.test(found[1] ?? '') || /^0+$/.test(found[2] ?? '') ? undefined : found[1];
}

/** A context below `parent`, or the first of a new trace. */
export function nextTraceparent(parent?: string): string {
  const own = randomUUID();
  return `00-${traceIdOf(parent) ?? newTraceId()}-${own.slice(19, 23)}${own.slice(24)}-01`;
}

/** Never all zeros, in either half of a UUID. Node keeps random bytes for UUIDs in store; asking for a few each time costs ten times as much. */
function newTraceId(): string {
  return randomUUID().replaceAll('-', '');
}

export const passingTracer: Tracer = {
  inSpan: async (_name, { parent }, work) => await work({ traceparent: nextTraceparent(parent), set: () => {} }),
};
