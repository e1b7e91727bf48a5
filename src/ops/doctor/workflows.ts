import fs from 'node:fs';
import path from 'node:path';
import { counted } from '../../contracts/counted.ts';
import { reasonOf } from '../../contracts/errors.ts';
import { parseAgentId, type TenantId } from '../../contracts/ids.ts';
import { workflowFile } from '../../contracts/workflow.ts';
import type { Home } from '../../state/home.ts';
import { parseYaml } from '../../state/yaml-file.ts';
import { fail, firstOf, ok, skip, type Check } from './check.ts';
import { tenantsIn } from './tenants-in.ts';

export const workflows: Check = {
  name: 'workflows',
  run: ({ home }) => {
    const files = tenantsIn(home).flatMap((tenant) => filesOf(home, tenant).map((file) => ({ tenant, file })));
    if (files.length === 0) return skip('There are no workflows.');
    const problems = files.flatMap(({ tenant, file }) => problemsOf(home, tenant, file));
    if (problems.length > 0) return fail(firstOf(problems), 'Correct the file; until then it cannot begin.');
    return ok(`${counted(files.length, 'workflow')} can begin.`);
  },
};

function filesOf(home: Home, tenant: TenantId): string[] {
  const folder = path.join(home.tenantDir(tenant), 'workflows');
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).flatMap((name) => (name.endsWith('.yaml') ? [path.join(folder, name)] : []));
}

/** Read without the repairs that a start makes. */
function problemsOf(home: Home, tenant: TenantId, file: string): string[] {
  try {
    const { steps } = parseYaml(fs.readFileSync(file, 'utf8'), workflowFile, path.relative(home.dir, file)).value;
    return steps.flatMap(({ agent }, index) =>
      hasAgent(home, tenant, agent)
        ? []
        : [`${path.relative(home.dir, file)}: step ${index + 1} names agent ${agent}, which tenant ${tenant} does not have.`],
    );
  } catch (error) {
    return [reasonOf(error)];
  }
}

export function hasAgent(home: Home, tenant: TenantId, agent: string): boolean {
  return fs.existsSync(path.join(home.agentDir(tenant, parseAgentId(agent)), 'agent.yaml'));
}
