import type { AgentId, TenantId } from '../../src/contracts/ids.ts';
import type { Decision } from '../../src/contracts/policy.ts';
import type { ToolDeclaration } from '../../src/contracts/tool.ts';
import { decide } from '../../src/governance/decide.ts';
import { newTrust, type Trust } from '../../src/governance/labels.ts';
import { compilePolicy, type PolicySnapshot } from '../../src/governance/policy-snapshot.ts';
import { policyRequest } from '../../src/governance/request.ts';
import type { RecordedCall, Recording } from './recording.ts';
import { fieldsOf } from './result-fields.ts';

/** A policy in which only information flow can stop a call: every layer allows every declared tool. */
export function openPolicy(tools: Iterable<ToolDeclaration>): PolicySnapshot {
  const declared = [...tools];
  const grants = declared.map(({ name }) => `  ${JSON.stringify(name)}: {}`).join('\n');
  return compilePolicy(
    [
      { layer: 'platform', file: 'bench/platform', text: 'version: 1\nrules: [{ id: all, allow: "*" }]\n' },
      { layer: 'agent', file: 'bench/agent', text: `version: 1\ngrants:\n${grants}\n` },
    ],
    { tools: declared },
  );
}

export interface ReplayContext {
  readonly tools: ReadonlyMap<string, ToolDeclaration>;
  readonly policy: PolicySnapshot;
}

/** Decides every recorded call as a run would: all calls of a turn with the labels at its start, then their results. */
export function replay(run: Recording, { tools, policy }: ReplayContext): ReadonlyMap<RecordedCall, Decision> {
  const trust = newTrust();
  const decisions = new Map<RecordedCall, Decision>();
  for (const step of run.steps) {
    if (step.kind === 'turn') replayTurn(step.calls, { tools, policy, trust, decisions });
    else if (step.kind === 'system') trust.addAgentFile('system', step.text);
    else trust.addUserText(step.text);
  }
  return decisions;
}

interface TurnContext extends ReplayContext {
  readonly trust: Trust;
  readonly decisions: Map<RecordedCall, Decision>;
}

function replayTurn(calls: readonly RecordedCall[], { tools, policy, trust, decisions }: TurnContext): void {
  const decided = calls.map((call) => {
    const tool = tools.get(call.tool);
    const request = policyRequest({
      tenant: 'default' as TenantId,
      agent: 'recorded' as AgentId,
      principal: { kind: 'user', id: 'recorded' },
      tool: tool ?? { name: call.tool },
      args: call.args,
      resources: [],
      trust,
      nowMs: 0,
    });
    decisions.set(call, decide(request, policy));
    return { call, tool, request };
  });
  for (const { call, tool, request } of decided) {
    if (tool === undefined || call.result === undefined) continue;
    const data = fieldsOf(call.result.text);
    trust.addResult(tool, request, {
      isError: call.result.isError,
      text: call.result.text,
      ...(data === undefined ? {} : { data }),
    });
  }
}
