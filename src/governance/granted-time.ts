import type { JsonObject } from '../contracts/json.ts';
import type { PolicyRequest } from '../contracts/policy.ts';
import { defaultCommandSeconds } from '../contracts/tool.ts';
import { decide } from './decide.ts';
import { coversTool } from './policy/covers.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';

/**
 * The request of a command whose call names no time, with the longest time up to the default that the policies do not
 * deny; unchanged where they deny every time. The time then stands in its arguments, so that decision, approval and
 * record speak of the time that the command really has. Pure.
 */
export function withGrantedTime(request: PolicyRequest, policies: readonly PolicySnapshot[]): PolicyRequest {
  if (!namesNoTime(request)) return request;
  const times = shorterTimes(request.tool, policies);
  if (times.length === 0 || !isDenied(request, policies)) return request;
  for (const seconds of times) {
    const shorter = withSeconds(request, seconds);
    if (!isDenied(shorter, policies)) return shorter;
  }
  return request;
}

/** The same call with a time of its own. */
export function withSeconds<R extends Pick<PolicyRequest, 'args' | 'resources'>>(request: R, seconds: number): R {
  const resources = request.resources.map((resource) => (resource.kind === 'command' ? { ...resource, seconds } : resource));
  return { ...request, args: { ...request.args, timeoutSeconds: seconds } satisfies JsonObject, resources };
}

export function namesNoTime({ args, resources }: Pick<PolicyRequest, 'args' | 'resources'>): boolean {
  return !Object.hasOwn(args, 'timeoutSeconds') && resources.some(({ kind }) => kind === 'command');
}

function isDenied(request: PolicyRequest, policies: readonly PolicySnapshot[]): boolean {
  return policies.some((policy) => decide(request, policy).verdict === 'deny');
}

/** Longest first. */
function shorterTimes(tool: string, policies: readonly PolicySnapshot[]): readonly number[] {
  const rules = policies.flatMap(({ layers }) => layers.flatMap((layer) => layer.rules)).filter((rule) => coversTool(rule, tool));
  const times = rules.flatMap(({ seconds }) => (seconds !== undefined && seconds < defaultCommandSeconds ? [seconds] : []));
  return [...new Set(times)].toSorted((a, b) => b - a);
}
