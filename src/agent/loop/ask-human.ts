import type { LoopContext } from './pipelined.ts';
import type { Approval } from '../../contracts/approval.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import type { Sha256 } from '../../contracts/json.ts';
import type { Decision } from '../../contracts/policy.ts';
import type { Tool, ToolPlan, ToolResult } from '../../contracts/tool.ts';
import { decide } from '../../governance/decide.ts';
import { diffText } from '../../tools/diff-text.ts';
import { answeredEvent } from '../ledger-events.ts';
import type { DecidedCall } from './decide-turn.ts';
import { isPlan, performCall, planCall, planHash, recordResult, type PerformInput } from './perform.ts';
import { recordEvent } from './record.ts';
import type { Recorded } from './recorded.ts';

/** What a person still reads; the rest of a larger change is in the call's arguments. */
const maxPreviewCharacters = 16_384;

/** Either the call has its result, or it waits for a human and the run parks. */
export type AskedCall = { readonly result: ToolResult } | { readonly waiting: ApprovalId };

export interface AskInput extends PerformInput {
  readonly recorded: Recorded;
  /** Asked because of this, when it is not the policy that asks: an effect whose outcome is unknown. */
  readonly because?: string;
}

/**
 * Puts one call before a human and acts on the answer.
 *
 * Contract: the question is bound to the request's hash and, for a change of a file, to the target before and after; at
 * execution the call is decided again under the policy as it is then, and a deny wins over any answer; without an
 * approval surface the call is denied at once; a question already asked is not asked twice, and an answer given before
 * an interruption still counts, but not for an effect that it has already begun.
 */
export async function askAboutCall(ctx: LoopContext, input: AskInput): Promise<AskedCall> {
  const startedMs = ctx.clock.now();
  const asked = input.recorded.question.get(input.decided.callId);
  if (asked !== undefined) {
    const approval = await ctx.approvals.get(asked.approvalId as ApprovalId);
    const isUsedUp = input.because !== undefined && input.recorded.answered.has(input.decided.callId);
    if (approval !== undefined && !isUsedUp) return await settle(ctx, input, approval);
  }
  if (ctx.approvals.surface === 'deny')
    return {
      result: await deny(ctx, input, {
        code: 'approval.unavailable',
        why: "it needs a human's approval and nobody can be asked in this run",
        startedMs,
        isUnknown: input.because !== undefined,
      }),
    };
  const plan = await planCall(input, { mayQuote: false });
  if (plan !== undefined && !isPlan(plan)) return { result: await recordResult(ctx, input, { result: plan, startedMs }) };
  return await settle(ctx, input, await openQuestion(ctx, input, plan));
}

/** Hidden before it is cut: half a secret is not recognised. */
async function previewOf(ctx: Pick<LoopContext, 'redactor'>, plan: ToolPlan): Promise<string> {
  const before = plan.beforeBytes === undefined ? undefined : Buffer.from(plan.beforeBytes).toString('utf8');
  const diff = ctx.redactor.text(await diffText({ path: plan.target, before, after: Buffer.from(plan.afterBytes).toString('utf8') }));
  return diff.length <= maxPreviewCharacters
    ? diff
    : `${diff.slice(0, maxPreviewCharacters)}\n[${diff.length - maxPreviewCharacters} more characters are not shown]\n`;
}

async function openQuestion(ctx: LoopContext, { run, decided, because }: AskInput, plan: ToolPlan | undefined): Promise<Approval> {
  const targetHash = plan === undefined ? {} : { targetHash: planHash(plan) };
  const preview = plan === undefined ? {} : { preview: await previewOf(ctx, plan) };
  const decision: Decision = because === undefined ? decided.decision : { ...decided.decision, verdict: 'ask', reason: because };
  const approval = await ctx.approvals.open({
    callId: decided.callId,
    request: decided.request,
    requestHash: decided.requestHash,
    decision,
    ...targetHash,
    ...preview,
  });
  await Promise.all([
    ctx.journal.append({
      kind: 'approval.requested',
      callId: decided.callId,
      approvalId: approval.id,
      requestHash: decided.requestHash,
      expiresMs: approval.expiresMs,
      ...targetHash,
    }),
    recordEvent(ctx, run, {
      type: 'approval.requested',
      call: decided.callId,
      approval: approval.id,
      request: decided.requestHash,
      expires: new Date(approval.expiresMs).toISOString(),
      ...(plan === undefined ? {} : { target: planHash(plan) }),
    }),
  ]);
  await ctx.settled();
  ctx.emit({ type: 'approval.requested', call: decided.callId, approval: approval.id, expiresMs: approval.expiresMs });
  return approval;
}

/** Acts on the row as it is now; asks at the terminal when there is one and the row is open. */
async function settle(ctx: LoopContext, input: AskInput, row: Approval): Promise<AskedCall> {
  const startedMs = ctx.clock.now();
  const isExpired = row.state === 'open' && row.expiresMs <= ctx.clock.now();
  const approval = row.state === 'open' && !isExpired && ctx.approvals.ask !== undefined ? await ctx.approvals.ask(row, input.signal) : row;
  const answer = isExpired ? 'expired' : approval.state;
  if (answer === 'open') return { waiting: approval.id };
  await recordAnswer(ctx, input, { approval, answer });
  if (answer !== 'approved') {
    const why = answer === 'denied' ? `${approval.answeredBy ?? 'a human'} said no` : 'nobody answered in time';
    return { result: await deny(ctx, input, { code: `approval.${answer}`, why, startedMs, isUnknown: input.because !== undefined }) };
  }
  return { result: await performApproved(ctx, input, approval) };
}

async function recordAnswer(
  ctx: LoopContext,
  { run, decided, recorded }: AskInput,
  { approval, answer }: { readonly approval: Approval; readonly answer: 'approved' | 'denied' | 'expired' },
): Promise<void> {
  if (recorded.answered.get(decided.callId)?.approvalId === approval.id) return;
  const by = approval.answeredBy ?? 'nobody';
  const entry = { kind: 'approval.answered', callId: decided.callId, approvalId: approval.id, answer, by } as const;
  await Promise.all([ctx.journal.append(entry), recordEvent(ctx, run, answeredEvent(entry, decided.requestHash))]);
  await ctx.settled();
}

async function performApproved(ctx: LoopContext, input: AskInput, approval: Approval): Promise<ToolResult> {
  const startedMs = ctx.clock.now();
  const { decided } = input;
  const isUnknown = input.because !== undefined;
  if (approval.requestHash !== decided.requestHash || approval.run !== input.run.item.runId) {
    return await deny(ctx, input, {
      code: 'approval.request-changed',
      why: 'the approval was given for another request',
      startedMs,
      isUnknown,
    });
  }
  const now = decide({ ...decided.request, nowMs: startedMs }, await ctx.currentPolicy());
  if (now.verdict === 'deny')
    return await deny(
      ctx,
      { ...input, decided: { ...decided, decision: now } },
      { code: 'policy.denied', why: `it was approved, but policy denies it now: ${now.reason}`, startedMs, isUnknown },
    );
  const plan = await planCall(input);
  if (plan !== undefined && !isPlan(plan)) return await recordResult(ctx, input, { result: plan, startedMs });
  const target: Sha256 | undefined = plan === undefined ? undefined : planHash(plan);
  if (target !== approval.targetHash) {
    return await deny(ctx, input, {
      code: 'approval.target-changed',
      why: 'the target changed after the approval was asked for',
      startedMs,
      isUnknown,
    });
  }
  return await performCall(ctx, input, plan);
}

export interface Refusal {
  readonly code: string;
  readonly why: string;
  readonly startedMs: number;
  /** The call had begun before an interruption: nobody may say that it was not done. */
  readonly isUnknown?: boolean;
}

/** Records a refusal as both an event and the call's result, with the same explanation for everybody. */
export async function deny(
  ctx: LoopContext,
  input: { readonly run: AskInput['run']; readonly decided: DecidedCall & { readonly tool?: Tool } },
  { code, why, startedMs, isUnknown }: Refusal,
): Promise<ToolResult> {
  const { decided, run } = input;
  const reason = ctx.redactor.text(why);
  await recordEvent(ctx, run, {
    type: 'policy.denied',
    call: decided.callId,
    tool: decided.request.tool,
    request: decided.requestHash,
    rule: decided.decision.rule,
    reason,
  });
  const what =
    isUnknown === true
      ? 'had begun when the run was interrupted; whether it happened is not known, and it is not done again'
      : 'was not done';
  const text = `${decided.request.tool} ${what}: ${reason}${/[.!?]$/.test(reason) ? '' : '.'} ${decided.decision.remedy}`.trim();
  return await recordResult(ctx, input, { result: { isError: true, code, text }, startedMs });
}
