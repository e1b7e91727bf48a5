import { FixRequestError } from '../../contracts/errors.ts';
import type { AgentId } from '../../contracts/ids.ts';
import { needsSandbox } from '../../contracts/tool.ts';
import type { JsonObject } from '../../contracts/json.ts';
import { decide } from '../../governance/decide.ts';
import { explainDecision, type Explanation } from '../../governance/explain.ts';
import { withGrantedTime } from '../../governance/granted-time.ts';
import { policyRequest } from '../../governance/request.ts';
import { currentPolicy, type PolicyContext } from './policy-context.ts';

export { renderExplanation } from '../../governance/explain.ts';

export interface CallToExplain {
  readonly agent: AgentId;
  readonly tool: string;
  readonly args: JsonObject;
}

/**
 * `policy explain --tool T --args JSON --agent A`: what would be decided now about a call whose arguments the user
 * wrote. In a run, arguments that came from untrusted text may be asked about besides.
 */
export async function explainCall(context: PolicyContext, { agent, tool, args }: CallToExplain): Promise<Explanation> {
  const declaration = context.tools.find((one) => one.name === tool);
  const isBound = declaration !== undefined && needsSandbox(declaration);
  const written = policyRequest({
    tenant: context.tenant,
    agent,
    principal: context.principal,
    tool: declaration ?? { name: tool },
    args,
    resources: declaration === undefined ? [] : (await context.resourcesOf(agent))(declaration, args),
    sandbox: isBound ? await context.sandboxOf(agent) : undefined,
    nowMs: context.now(),
  });
  const policy = await currentPolicy(context, agent);
  const request = withGrantedTime(written, [policy]);
  return explainDecision(request, decide(request, policy));
}

/**
 * `policy explain RUN CALL`: the decision as it was recorded, with the labels the arguments had. Without a call: the
 * first that was not allowed.
 *
 * @throws FixRequestError when the run has no such call.
 */
export async function explainRecorded(context: PolicyContext, run: string, callId: string | undefined): Promise<Explanation> {
  const known: string[] = [];
  for await (const call of context.recorded({ run })) {
    known.push(call.callId);
    const isMeant = callId === undefined ? call.decision.verdict !== 'allow' : call.callId === callId;
    if (isMeant) return explainDecision(call.request, call.decision);
  }
  const calls = known.length === 0 ? 'it decided no call' : `its calls are ${known.join(', ')}`;
  throw new FixRequestError(
    'cli.unknown-call',
    callId === undefined
      ? `Every call of run ${run} was allowed (${calls}). Name one of them to see why.`
      : `Run ${run} has no call ${JSON.stringify(callId)}: ${calls}. Name one of them.`,
  );
}
