import type { JsonValue } from '../../contracts/json.ts';
import type { ArgumentLabel } from '../../contracts/label.ts';
import type { PolicySnapshot } from '../policy-snapshot.ts';
import { commandAllowed, isEveryCommand } from './command-pattern.ts';
import type { CompiledRule } from './compiled.ts';
import { pathAllowed, type RequestFacts, valueAllowed } from './covers.ts';
import { hostMatches } from './host-pattern.ts';
import { quote } from './quote.ts';

/** Why information flow wants a human for a call that the layers allow. */
export interface FlowQuestion {
  readonly id: 'untrusted-argument' | 'rule-of-two';
  readonly reason: string;
  readonly remedy: string;
}

/**
 * The flow rule: a call that changes something or reaches outside asks when a destination or selector came from
 * untrusted text, unless a human's allowlist admits it. An allowlist is a bound of the agent's own grant, the list
 * `trusted:`, and for files the workspace itself, because it is the agent's own place, and a command in a sandbox without
 * network changes nothing else; a bound that admits everything is none for an outside effect.
 *
 * @param grants the agent's grants that cover the call.
 */
export function flowQuestion(facts: RequestFacts, grants: readonly CompiledRule[], snapshot: PolicySnapshot): FlowQuestion | undefined {
  const { request } = facts;
  const isOutside = request.effects.includes('outside');
  if (!isOutside && !request.effects.includes('mutating')) return undefined;
  for (const label of request.labels) {
    if (label.label.trust === 'trusted' || isAdmitted(label, { facts, grants, snapshot, isOutside })) continue;
    return untrustedArgument(label, facts, snapshot);
  }
  if (snapshot.strictFlow !== undefined && isOutside && request.run.hasPrivate && request.run.hasUntrusted) {
    return {
      id: 'rule-of-two',
      reason: 'The run has read private data and untrusted content, and this call reaches outside.',
      remedy: `A person answers for this call; the rule is switched on by flow: strict at ${snapshot.strictFlow.file}:${snapshot.strictFlow.line}.`,
    };
  }
  return undefined;
}

interface AdmitContext {
  readonly facts: RequestFacts;
  readonly grants: readonly CompiledRule[];
  readonly snapshot: PolicySnapshot;
  readonly isOutside: boolean;
}

function isAdmitted({ argument }: ArgumentLabel, { facts, grants, snapshot, isOutside }: AdmitContext): boolean {
  const { args } = facts.request;
  const value = Object.hasOwn(args, argument) ? args[argument] : undefined;
  if (value !== undefined && isListed(value, snapshot.trusted)) return true;
  const files = facts.files.filter((file) => file.resource.argument === argument);
  const hosts = facts.hosts.filter((host) => host.argument === argument);
  const commands = facts.commands.filter((command) => command.argument === argument || command.argument === ownerOf(argument, facts));
  if ((files.length > 0 || commands.length > 0) && !isOutside) return true;
  return grants.some((grant) => {
    const paths = (grant.paths ?? []).filter((pattern) => !pattern.glob.isEverything);
    if (files.length > 0 && files.every((file) => pathAllowed(paths, file))) return true;
    const listed = (grant.commands ?? []).filter((pattern) => !isEveryCommand(pattern));
    if (commands.length > 0 && commands.every(({ argv }) => listed.some((pattern) => commandAllowed(pattern, argv)))) return true;
    const named = (grant.hosts ?? []).filter((pattern) => pattern.match !== 'any');
    if (hosts.length > 0 && hosts.every(({ host, port }) => named.some((pattern) => hostMatches(pattern, host, port)))) return true;
    if (argument === 'method' && typeof value === 'string' && grant.methods?.includes(value.toUpperCase()) === true) return true;
    const bound = grant.args?.find(([name]) => name === argument)?.[1].filter((pattern) => !pattern.isEverything) ?? [];
    return value !== undefined && bound.length > 0 && valueAllowed(bound, value);
  });
}

/** The command that an argument beside it belongs to. */
function ownerOf(argument: string, facts: RequestFacts): string | undefined {
  return argument === 'env' || argument === 'timeoutSeconds' || argument === 'cwd' ? facts.commands[0]?.argument : undefined;
}

function isListed(value: JsonValue, trusted: readonly string[]): boolean {
  if (trusted.length === 0) return false;
  if (Array.isArray(value)) return value.length > 0 && value.every((element: JsonValue) => isListed(element, trusted));
  return typeof value !== 'object' && trusted.includes(String(value));
}

function untrustedArgument({ argument, role, label }: ArgumentLabel, facts: RequestFacts, snapshot: PolicySnapshot): FlowQuestion {
  const { args, tool } = facts.request;
  const value = Object.hasOwn(args, argument) ? args[argument] : undefined;
  const shown = quote(typeof value === 'string' ? value : JSON.stringify(value ?? null));
  const agentFile = snapshot.layers.find((layer) => layer.layer === 'agent')?.file ?? 'agent.yaml';
  return {
    id: 'untrusted-argument',
    reason: `The ${role} ${argument} ${shown} did not come from you or another trusted text (${quote(label.source)}), and ${tool} has effects.`,
    remedy: `A person can approve this call, name the value in a message, or allow it for good with args: {${argument}: [${shown.replace(/[*]/g, '?')}]} under ${tool} in ${agentFile}.`,
  };
}
