import type { LoopContext } from './pipelined.ts';
import { hashJson, type Sha256 } from '../../contracts/json.ts';
import type { PerformOptions, Tool, PlanOptions, ToolPlan, ToolResult } from '../../contracts/tool.ts';
import { resultEvent } from '../ledger-events.ts';
import { mayReach, mayReachHost } from '../../governance/may-reach.ts';
import type { AgentRun } from '../run-context.ts';
import type { DecidedCall } from './decide-turn.ts';
import { recordEvent } from './record.ts';

export interface PerformInput {
  readonly run: AgentRun;
  readonly decided: DecidedCall & { readonly tool: Tool };
  readonly signal: AbortSignal;
}

/** What an approval is bound to, beside the request: the target as it is and as it would become. */
export function planHash(plan: ToolPlan): Sha256 {
  return hashJson({ target: plan.target, before: plan.before ?? null, after: plan.after });
}

export async function planCall({ decided, signal }: PerformInput, options?: PlanOptions): Promise<ToolPlan | ToolResult | undefined> {
  return await decided.tool.plan?.(decided.request.args, signal, options);
}

export function isPlan(value: ToolPlan | ToolResult | undefined): value is ToolPlan {
  return value !== undefined && 'after' in value;
}

/**
 * Does one allowed call: announces an effect in the ledger, keeps what it replaces, performs it, records the result.
 *
 * Contract: a call with effects happens only after its intent is durable, and only while the run is held; the returned result is the recorded one, byte
 * for byte, with every secret already hidden.
 */
export async function performCall(ctx: LoopContext, input: PerformInput, planned?: ToolPlan): Promise<ToolResult> {
  const { decided, signal } = input;
  const startedMs = ctx.clock.now();
  const plan = planned ?? (await planCall(input));
  if (plan !== undefined && !isPlan(plan)) return await recordResult(ctx, input, { result: plan, startedMs });
  ctx.checkHold();
  if (decided.tool.recovery !== 'redo') {
    await announce(ctx, input, plan);
    ctx.checkHold();
  }
  const reach = (place: { readonly root: string; readonly path: string }): boolean =>
    decided.policies.every((policy) => mayReach(decided.request, policy, place));
  const reachHost: PerformOptions['mayReachHost'] = (hop) => decided.policies.every((policy) => mayReachHost(decided.request, policy, hop));
  const options = { signal, mayReach: reach, mayReachHost: reachHost, ...(plan === undefined ? {} : { plan }) };
  const result = await decided.tool.perform(decided.request.args, options);
  if (plan !== undefined && !result.isError) await recordArtifact(ctx, input, plan);
  return await recordResult(ctx, input, { result, startedMs });
}

async function announce(ctx: LoopContext, { run, decided }: PerformInput, plan: ToolPlan | undefined): Promise<void> {
  const change =
    plan === undefined ? {} : { target: plan.target, after: plan.after, ...(plan.before === undefined ? {} : { before: plan.before }) };
  const undo = plan?.beforeBytes === undefined ? {} : { undo: await ctx.saveUndo(decided.callId, plan.beforeBytes) };
  await Promise.all([
    ctx.journal.append({ kind: 'intent', callId: decided.callId, ...change, ...undo }),
    recordEvent(ctx, run, { type: 'tool.intent', call: decided.callId, tool: decided.tool.name, request: decided.requestHash, ...change }),
  ]);
  await ctx.settled();
}

async function recordArtifact(ctx: LoopContext, { run }: PerformInput, plan: ToolPlan): Promise<void> {
  await recordEvent(ctx, run, { type: 'artifact.write', path: plan.target, sha256: plan.after, bytes: plan.afterBytes.length });
}

/** The first line, and how many more there are. */
function summaryOf(text: string): string {
  const lines = text.trimEnd().split('\n');
  const first = lines[0]?.slice(0, 160) ?? '';
  return lines.length === 1 ? first : `${first} … ${lines.length} lines`;
}

/** Hides secrets, then makes the result durable: from here on it is what the call gave. */
export async function recordResult(
  ctx: LoopContext,
  { run, decided }: { readonly run: AgentRun; readonly decided: DecidedCall },
  { result, startedMs }: { readonly result: ToolResult; readonly startedMs: number },
): Promise<ToolResult> {
  const clean = redactResult(ctx, result);
  const atMs = ctx.clock.now();
  const entry = { kind: 'result', callId: decided.callId, atMs, durationMs: Math.max(0, atMs - startedMs), result: clean } as const;
  await Promise.all([ctx.journal.append(entry), recordEvent(ctx, run, resultEvent(entry, decided.request.tool))]);
  ctx.emit({
    type: 'tool.result',
    call: decided.callId,
    tool: decided.request.tool,
    isError: clean.isError,
    ...(clean.code === undefined ? {} : { code: clean.code }),
    summary: summaryOf(clean.text),
    durationMs: Math.max(0, atMs - startedMs),
  });
  return clean;
}

function redactResult(ctx: LoopContext, result: ToolResult): ToolResult {
  return {
    isError: result.isError,
    ...(result.code === undefined ? {} : { code: result.code }),
    text: ctx.redactor.text(result.text),
    ...(result.data === undefined ? {} : { data: ctx.redactor.json(result.data) }),
    ...(result.source === undefined ? {} : { source: result.source }),
  };
}
