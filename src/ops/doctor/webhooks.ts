import fs from 'node:fs';
import path from 'node:path';
import { clawholdConfig } from '../../contracts/config.ts';
import { counted } from '../../contracts/counted.ts';
import { parseTenantId, type TenantId } from '../../contracts/ids.ts';
import type { ServeConfig } from '../../contracts/serve-config.ts';
import { parseYaml } from '../../state/yaml-file.ts';
import { fail, firstOf, ok, skip, type Check, type DoctorContext } from './check.ts';
import { tenantsIn } from './tenants-in.ts';
import { hasAgent } from './workflows.ts';

type Trigger = NonNullable<ServeConfig['webhooks']>['triggers'][string];

/** A call of a webhook that cannot start anything is answered like one that does not exist: only its operator can find out why. */
export const webhooks: Check = {
  name: 'webhooks',
  run: async (context) => {
    const triggers = Object.entries(triggersOf(context));
    if (triggers.length === 0) return skip('No webhooks are configured.');
    const found = await Promise.all(triggers.map(async ([name, trigger]) => await problemOf(context, name, trigger)));
    const problems = found.filter((problem) => problem !== undefined);
    if (problems.length > 0) return fail(firstOf(problems), 'Correct serve.webhooks in clawhold.yaml, or make what it names.');
    return ok(`${counted(triggers.length, 'webhook')} can start what is configured.`);
  },
};

function triggersOf({ home }: DoctorContext): Readonly<Record<string, Trigger>> {
  const file = path.join(home.dir, 'clawhold.yaml');
  if (!fs.existsSync(file)) return {};
  return parseYaml(fs.readFileSync(file, 'utf8'), clawholdConfig, file).value.serve?.webhooks?.triggers ?? {};
}

async function problemOf(context: DoctorContext, name: string, trigger: Trigger): Promise<string | undefined> {
  const tenant = parseTenantId(trigger.tenant ?? 'default');
  const what = `Webhook ${name} starts nothing:`;
  if (!tenantsIn(context.home).includes(tenant)) return `${what} there is no tenant ${tenant}.`;
  const missing = missingStart(context, tenant, trigger);
  if (missing !== undefined) return `${what} tenant ${tenant} has no ${missing}.`;
  return (await context.hasSecret(tenant, trigger.secret)) ? undefined : `${what} tenant ${tenant} has no secret ${trigger.secret}.`;
}

function missingStart({ home }: DoctorContext, tenant: TenantId, { agent, workflow }: Trigger): string | undefined {
  if (agent !== undefined) return hasAgent(home, tenant, agent) ? undefined : `agent ${agent}`;
  return fs.existsSync(path.join(home.tenantDir(tenant), 'workflows', `${workflow}.yaml`)) ? undefined : `workflow ${workflow}`;
}
