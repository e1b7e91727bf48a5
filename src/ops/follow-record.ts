import type { LedgerEvent } from '../contracts/ledger.ts';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import { traceIdOf, type Tracer } from '../contracts/trace.ts';

export interface FollowRecordContext {
  readonly metrics: Metrics;
  readonly log: Log;
  /** Absent where no traces are sent: then nobody asks whose trace a run belongs to. */
  readonly tracer?: Tracer;
  /** The trace context of the step in which a run is worked on, or of the request that it came from. */
  readonly traceOf: (tenant: string, run: string) => Promise<string | undefined>;
}

/** Told of every record as it is written. Never throws. */
export type RecordListener = (tenant: string, event: LedgerEvent) => void;

const maxOpen = 10_000;

/** A step that has begun: between the record of its start and that of its end. */
interface OpenStep {
  readonly startedMs: number;
  readonly label: string;
  readonly end: () => void;
  /** Of its span, once that was made. */
  readonly traceparent: Promise<string | undefined>;
}

/**
 * Counts, logs and traces what runs do from what the ledger is told, so that no figure knows of an effect that the
 * record lacks, and no code that acts has to think of metrics.
 *
 * Contract: what is kept of steps that never end is bounded; a failure in here is logged and disturbs no run.
 */
export function followRecord(ctx: FollowRecordContext): RecordListener {
  const steps = openSteps(ctx);
  return (tenant, event) => {
    try {
      countEvent(ctx, steps, { tenant, event });
      if (event.type.startsWith('broker.') || event.type.startsWith('egress.')) void logBroker(ctx, tenant, event);
    } catch (error) {
      ctx.log.warn('a record was not counted', { reason: String(error) });
    }
  };
}

interface Steps {
  begin(key: string, step: { readonly tenant: string; readonly run: string; readonly name: string; readonly label: string }): void;
  /** Undefined when its beginning is not known. */
  end(key: string): OpenStep | undefined;
}

function countEvent(
  { metrics }: FollowRecordContext,
  steps: Steps,
  { tenant, event }: { readonly tenant: string; readonly event: LedgerEvent },
): void {
  if (event.type === 'model.call') {
    steps.begin(`${event.run} ${event.turn}`, { tenant, run: event.run, name: 'model.call', label: event.model });
  } else if (event.type === 'model.result') {
    const step = steps.end(`${event.run} ${event.turn}`);
    if (step === undefined) return;
    metrics.count('model_requests_total', { tenant, model: step.label, outcome: event.error ?? 'ok' });
    metrics.observe('model_request_duration_seconds', (performance.now() - step.startedMs) / 1000, { model: step.label });
  } else if (event.type === 'tool.decision') metrics.count('tool_calls_total', { tenant, tool: event.tool, decision: event.verdict });
  else if (event.type === 'tool.intent')
    steps.begin(`${event.run} ${event.call}`, { tenant, run: event.run, name: 'tool.call', label: event.tool });
  else if (event.type === 'tool.result') steps.end(`${event.run} ${event.call}`);
  else if (event.type === 'broker.grant') metrics.count('broker_grants_total', { tenant });
  else if (event.type === 'broker.denial') metrics.count('broker_denials_total', { tenant, reason: event.code });
  else if (event.type === 'egress.open') {
    metrics.count('broker_grants_total', { tenant });
    steps.begin(`${event.run} ${event.connection}`, { tenant, run: event.run, name: 'broker.egress', label: event.host });
  } else if (event.type === 'egress.close' && steps.end(`${event.run} ${event.connection}`) === undefined)
    // Only what was refused is closed without having been opened.
    metrics.count('broker_denials_total', { tenant, reason: event.outcome });
}

function openSteps(ctx: FollowRecordContext): Steps {
  const open = new Map<string, OpenStep>();
  const calls = openCalls();
  const end = (key: string): OpenStep | undefined => {
    const step = open.get(key);
    open.delete(key);
    step?.end();
    return step;
  };
  return {
    begin: (key, facts) => {
      // Whoever never ends was killed: its place is needed, and the spans end here.
      if (open.size >= maxOpen) for (const left of open.keys()) end(left);
      const step = beginStep(ctx, facts, calls.only(facts.run));
      open.set(key, facts.name === 'tool.call' ? calls.add(facts.run, step) : step);
    },
    end,
  };
}

type StepFacts = Parameters<Steps['begin']>[1];

/** A connection of a run with one open tool call belongs to that call; everything else lies directly below the run's step. */
function beginStep({ tracer, traceOf }: FollowRecordContext, facts: StepFacts, call: OpenStep | undefined): OpenStep {
  const { tenant, run, name, label } = facts;
  const startedMs = performance.now();
  if (tracer === undefined) return { startedMs, label, end: () => {}, traceparent: Promise.resolve(undefined) };
  const ended = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<string | undefined>();
  const attributes = { 'clawhold.tenant': tenant, 'clawhold.run': run, 'clawhold.subject': label };
  const work = async (): Promise<void> => {
    const parent = (name === 'broker.egress' ? await call?.traceparent : undefined) ?? (await traceOf(tenant, run));
    await tracer.inSpan(name, { parent, attributes }, async ({ traceparent }) => {
      begun.resolve(traceparent);
      await ended.promise;
    });
  };
  // silent-ok: a trace that cannot be made hinders nothing; the tracer tells of what it loses.
  void work().catch(() => begun.resolve(undefined));
  return { startedMs, label, end: ended.resolve, traceparent: begun.promise };
}

/** The open tool calls of each run. */
function openCalls(): {
  readonly add: (run: string, step: OpenStep) => OpenStep;
  /** Undefined when there is none, or more than one. */
  readonly only: (run: string) => OpenStep | undefined;
} {
  const calls = new Map<string, Set<OpenStep>>();
  return {
    add: (run, step) => {
      const ofRun = calls.get(run) ?? new Set();
      calls.set(run, ofRun.add(step));
      const end = (): void => {
        ofRun.delete(step);
        if (ofRun.size === 0) calls.delete(run);
        step.end();
      };
      return { ...step, end };
    },
    only: (run) => {
      const ofRun = calls.get(run);
      return ofRun?.size === 1 ? [...ofRun][0] : undefined;
    },
  };
}

/** The broker's lines, with the trace of the request that they serve. */
async function logBroker({ log, traceOf }: FollowRecordContext, tenant: string, event: LedgerEvent): Promise<void> {
  if (!('run' in event)) return;
  // silent-ok: the line is worth having without its trace.
  const trace = traceIdOf(await traceOf(tenant, event.run).catch(() => undefined));
  const host = 'host' in event ? event.host : undefined;
  const code = 'code' in event ? event.code : 'outcome' in event ? event.outcome : undefined;
  log.info(event.type, { tenant_id: tenant, run_id: event.run, trace_id: trace, host, code });
}
