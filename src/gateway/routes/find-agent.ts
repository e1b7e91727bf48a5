import type { AgentId } from '../../contracts/ids.ts';
import type { AgentDetails, GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import type { Call } from '../route.ts';

/**
 * An agent of the caller's tenant that could start.
 * @throws RequestRefusedError 404 when there is none; 409 when its files or a policy are wrong: only operators of the
 * platform are told the file and the line, which may be the platform's own.
 */
export async function findAgent(
  ctx: Pick<GatewayContext, 'agents'>,
  { principal, tenant }: Pick<Call, 'principal' | 'tenant'>,
  agent: string,
): Promise<AgentDetails> {
  const found = await ctx.agents.show(tenant, agent as AgentId);
  if (found === undefined) throw unknownThing('agent', agent);
  if (!('why' in found)) return found;
  const isOperator = tenant === 'default' && principal.roles.some((role) => role === 'admin' || role === 'operator');
  const what = found.isPlatforms
    ? `Agent ${agent} cannot start, because the policy of the platform does not load. Tell whoever runs this installation.`
    : `Agent ${agent} cannot start, because its configuration or a policy is not valid. "clawhold agents validate ${agent}" tells its operator why.`;
  const code = 'control.agent-invalid';
  throw new RequestRefusedError(409, code, isOperator ? `${what} ${found.why}` : what);
}
