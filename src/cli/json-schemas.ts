import * as z from 'zod/mini';
import { agentConfig, clawholdConfig, llmConfig, policyFile } from '../contracts/config.ts';
import { platformProjects, tenantProjects } from '../contracts/project.ts';
import { tenantConfig } from '../contracts/tenant.ts';

/** The schemas of the files that humans write, by name: what an editor completes from. */
export const fileSchemas = {
  clawhold: clawholdConfig,
  llm: llmConfig,
  agent: agentConfig,
  policy: policyFile,
  tenant: tenantConfig,
  projects: platformProjects,
  'tenant-projects': tenantProjects,
} as const;
export type FileSchemaName = keyof typeof fileSchemas;

export function jsonSchemaOf(name: FileSchemaName): object {
  return { title: `Clawhold ${name}`, ...z.toJSONSchema(fileSchemas[name], { io: 'input', unrepresentable: 'any' }) };
}
