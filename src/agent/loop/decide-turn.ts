import { hashJson, type JsonObject, type Sha256 } from '../../contracts/json.ts';
import type { SandboxFacts } from '../../contracts/isolation.ts';
import type { ModelToolCall } from '../../contracts/model.ts';
import type { Decision, PolicyRequest } from '../../contracts/policy.ts';
import type { Tool, ToolResult } from '../../contracts/tool.ts';
import { decide } from '../../governance/decide.ts';
import { withGrantedTime } from '../../governance/granted-time.ts';
import type { Trust } from '../../governance/labels.ts';
import type { PolicySnapshot } from '../../governance/policy-snapshot.ts';
import { parseCall } from '../../tools/parse-call.ts';
import { policyRequest, requestHash } from '../../governance/request.ts';
import { strictestDecision } from '../../governance/strictest.ts';
import type { AgentRun, RunAgentContext } from '../run-context.ts';

/** One call of a turn, with its decision. `refused` is set when it cannot even be judged: no such tool, bad arguments. */
export interface DecidedCall {
  /** `turn.position`, e.g. `3.1`: unique within the run, whatever ids the provider gives. */
  readonly callId: string;
  readonly call: ModelToolCall;
  readonly tool?: Tool;
  readonly request: PolicyRequest;
  readonly requestHash: Sha256;
  readonly decision: Decision;
  readonly refused?: ToolResult;
  /** The policies that decided, for what the call meets on its way. */
  readonly policies: readonly PolicySnapshot[];
}

export interface DecideOptions {
  readonly turn: number;
  readonly trust: Trust;
  readonly policies: readonly PolicySnapshot[];
  readonly nowMs: number;
  /** Where commands would run now. */
  readonly sandbox?: SandboxFacts | undefined;
}

/**
 * Decides all calls of one model turn, before any of them happens, with the labels at the turn's start.
 *
 * Contract: pure but for what the context's tools say of themselves. Several policies: the strictest answer.
 */
export function decideTurn(
  ctx: Pick<RunAgentContext, 'tools' | 'resourcesOf'>,
  { run, calls, options }: { readonly run: AgentRun; readonly calls: readonly ModelToolCall[]; readonly options: DecideOptions },
): DecidedCall[] {
  return calls.map((call, index) => decideCall(ctx, { run, call, callId: `${options.turn}.${index + 1}`, options }));
}

function decideCall(
  ctx: Pick<RunAgentContext, 'tools' | 'resourcesOf'>,
  {
    run,
    call,
    callId,
    options,
  }: { readonly run: AgentRun; readonly call: ModelToolCall; readonly callId: string; readonly options: DecideOptions },
): DecidedCall {
  const parsed = parseCall(ctx.tools, call);
  const tool = 'tool' in parsed ? parsed.tool : undefined;
  const args: JsonObject = 'tool' in parsed ? parsed.args : {};
  const written = policyRequest({
    tenant: run.item.tenant,
    agent: run.item.agent,
    principal: run.item.principal,
    tool: tool ?? { name: call.name },
    args,
    resources: tool === undefined ? [] : ctx.resourcesOf(tool, args),
    trust: options.trust,
    sandbox: options.sandbox,
    nowMs: options.nowMs,
  });
  const request = withGrantedTime(written, options.policies);
  const base = { callId, call, request, requestHash: requestHash(request), policies: options.policies };
  if ('refused' in parsed) return { ...base, ...refuse(options.policies, parsed.refused) };
  const decision = strictestDecision(options.policies.map((policy) => decide(request, policy)));
  return { ...base, tool: parsed.tool, decision };
}

/** The decision about a call that no rule can judge: denied by an invariant, so that it stands in the ledger like any other. */
function refuse(policies: readonly PolicySnapshot[], refused: ToolResult): { decision: Decision; refused: ToolResult } {
  const rule = { layer: 'invariant', id: refused.code ?? 'tool.refused', file: 'builtin', line: 0 } as const;
  const policyHash = policies[0]?.hash ?? hashJson(null);
  const decision: Decision = {
    verdict: 'deny',
    rule,
    reason: refused.text,
    remedy: 'No rule can allow it.',
    layers: [{ layer: 'invariant', verdict: 'deny', rule }],
    policyHash,
  };
  return { decision, refused };
}
