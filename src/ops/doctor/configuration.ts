import fs from 'node:fs';
import path from 'node:path';
import type * as z from 'zod/mini';
import { clawholdConfig, llmConfig } from '../../contracts/config.ts';
import { reasonOf } from '../../contracts/errors.ts';
import { tenantConfig } from '../../contracts/tenant.ts';
import { parseYaml } from '../../state/yaml-file.ts';
import { fail, firstOf, ok, type Check } from './check.ts';
import { tenantsIn } from './tenants-in.ts';

export const configuration: Check = {
  name: 'configuration',
  run: ({ home }) => {
    const problems = [
      problemOf(path.join(home.dir, 'clawhold.yaml'), clawholdConfig),
      problemOf(path.join(home.dir, 'llm.yaml'), llmConfig),
      ...tenantsIn(home).map((tenant) => problemOf(path.join(home.tenantDir(tenant), 'tenant.yaml'), tenantConfig)),
    ].filter((problem) => problem !== undefined);
    if (problems.length === 0) return ok('Configuration files are valid.');
    return fail(firstOf(problems), 'Correct the file; clawhold config validate lists every problem.');
  },
};

/** Read without the repairs that a start makes. */
function problemOf(file: string, schema: z.ZodMiniType): string | undefined {
  if (!fs.existsSync(file)) return undefined;
  try {
    parseYaml(fs.readFileSync(file, 'utf8'), schema, file);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
