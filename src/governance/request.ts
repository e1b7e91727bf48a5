import type { AgentId, TenantId } from '../contracts/ids.ts';
import { hashJson, type JsonObject, type Sha256 } from '../contracts/json.ts';
import type { SandboxFacts } from '../contracts/isolation.ts';
import type { RunLabels } from '../contracts/label.ts';
import type { PolicyRequest, Principal, Resource } from '../contracts/policy.ts';
import type { Effect, ToolDeclaration } from '../contracts/tool.ts';
import { labelArguments, type Trust } from './labels.ts';

export interface RequestInput {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly principal: Principal;
  /** The tool as it is declared; for a name that no tool has, `{ name }`. */
  readonly tool: ToolDeclaration | { readonly name: string };
  readonly args: JsonObject;
  /** What the call touches, as the tools read it (`tools/resources.ts`): the reading that the file guard also takes. */
  readonly resources: readonly Resource[];
  /** What the run knows; absent where no run is (`policy explain`, `tools call`): then a human wrote the arguments. */
  readonly trust?: Trust;
  /** Where the run's commands would run; left out of requests that need none. */
  readonly sandbox?: SandboxFacts | undefined;
  readonly nowMs: number;
}

/**
 * The only place where a request is made: every door (CLI, HTTP, cron, chat, loop, swarm) hands its call here, so the
 * same call has the same request, and with it the same decision, through all of them.
 */
export function policyRequest(input: RequestInput): PolicyRequest {
  const { tenant, agent, principal, tool, args, nowMs } = input;
  const isDeclared = 'effects' in tool;
  const isCommand = input.resources.some(({ kind }) => kind === 'command');
  const sandbox = isCommand || (isDeclared && tool.minimumClass !== undefined) ? input.sandbox : undefined;
  return {
    tenant,
    agent,
    principal: { kind: principal.kind, id: principal.id },
    tool: tool.name,
    effects: isDeclared ? effectsOf(tool, isCommand ? sandbox : undefined) : ['mutating', 'outside'],
    args,
    resources: input.resources,
    labels: isDeclared && input.trust !== undefined ? labelArguments(tool, args, input.trust) : [],
    run: input.trust === undefined ? noRun : input.trust.run(),
    ...(sandbox === undefined ? {} : { sandbox }),
    nowMs,
  };
}

/** A command reaches outside where its sandbox has a way out. */
function effectsOf({ effects }: ToolDeclaration, sandbox: SandboxFacts | undefined): readonly Effect[] {
  return sandbox?.available === true && sandbox.network === 'egress' ? [...new Set([...effects, 'outside' as const])] : effects;
}

const noRun: RunLabels = { hasPrivate: false, hasUntrusted: false };

/**
 * What an approval is bound to: tenant, agent, principal, tool, effects, arguments, resources, labels, what the run had
 * seen, and for a command the sandbox that it would run in; not the clock, which differs between question and answer although nothing a human agreed to does.
 */
export function requestHash(request: PolicyRequest): Sha256 {
  const { nowMs: _, ...bound } = request;
  return hashJson(bound);
}
