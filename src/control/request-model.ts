import type { RunRequest } from '../contracts/admission.ts';
import { listed } from '../contracts/counted.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { Log } from '../contracts/log.ts';
import { refused, refusedByError, type Refused } from './refusal.ts';

/** The models that the operator pays for, as far as one agent goes. */
export interface ModelChoices {
  /** The agent's own, or else the configuration's: what a request gets that names none. */
  readonly own: string | undefined;
  /** Every model that a request may name. */
  readonly allowed: readonly string[];
  /** Whether the day's money can bound it. @throws FixRequestError when it cannot be used at all. */
  readonly hasPrice: (model: string) => Promise<boolean>;
}

export interface RequestModelContext {
  readonly log: Log;
  readonly models: (tenant: TenantId, agent: AgentId) => Promise<ModelChoices>;
}

/**
 * Why a request may not have the model that it names; undefined when it may. Keys and money are the operator's: a
 * request chooses among what a human wrote down (the agent's file, the configuration, `models:` in llm.yaml), compared
 * letter by letter, and among these only what has a price.
 */
export async function refusedModel(
  ctx: RequestModelContext,
  tenant: TenantId,
  { agent, model }: Pick<RunRequest, 'agent' | 'model'>,
): Promise<Refused | undefined> {
  if (model === undefined) return undefined;
  const { own, allowed, hasPrice } = await ctx.models(tenant, agent);
  if (!allowed.includes(model)) return notAllowed(agent, model, allowed);
  if (model === own) return undefined;
  try {
    if (await hasPrice(model)) return undefined;
  } catch (error) {
    return refusedByError(ctx.log, error, {
      code: 'control.model-unusable',
      message: `Model ${model} cannot be used here now. Leave "model" out, or ask who runs this installation.`,
      fields: { tenant_id: tenant },
    });
  }
  return refused(
    'control.model-unpriced',
    `Model ${model} has no price in llm.yaml, so no quota of money could bound the run. Leave "model" out, or have its operator add the price.`,
  );
}

function notAllowed(agent: AgentId, model: string, allowed: readonly string[]): Refused {
  return refused(
    'control.model-not-allowed',
    `A request to agent ${agent} may not name model ${JSON.stringify(model.slice(0, 80))}: it may name the agent's own, the configuration's, and those under "models" in llm.yaml, and ${listed(allowed, 'there is none')}. Name one of them or leave "model" out.`,
  );
}
