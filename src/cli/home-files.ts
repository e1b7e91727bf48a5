import fs from 'node:fs';
import path from 'node:path';
import { clawholdConfig, llmConfig, type ClawholdConfig, type LlmConfig } from '../contracts/config.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { PolicySource } from '../contracts/policy.ts';
import type { Home } from '../state/home.ts';
import { readYamlFile } from '../state/read-yaml-file.ts';
import { unkept, type Look, type Readings } from '../state/readings.ts';

/** `clawhold.yaml`; a home without one has the defaults. What was repaired is added to `notices`. */
export async function readClawholdConfig(home: Home, notices: string[]): Promise<ClawholdConfig> {
  const read = await readYamlFile(path.join(home.dir, 'clawhold.yaml'), clawholdConfig);
  if (read?.notice !== undefined) notices.push(read.notice);
  return read?.value ?? { version: 1 };
}

/** `llm.yaml`, if there is one. */
export async function readLlmConfig(home: Home, notices: string[]): Promise<LlmConfig | undefined> {
  const read = await readYamlFile(path.join(home.dir, 'llm.yaml'), llmConfig);
  if (read?.notice !== undefined) notices.push(read.notice);
  return read?.value;
}

function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Platform and tenant policy as they are on the disk, the same object as long as neither changed; a file that is not
 * there leaves its built-in default in force.
 */
export async function readPolicyFiles(
  home: Home,
  tenant: TenantId,
  { readings = unkept, sinceMs }: { readonly readings?: Readings; readonly sinceMs?: number | undefined } = {},
): Promise<readonly PolicySource[]> {
  const files = [
    { layer: 'platform', file: path.join('policies', 'platform.yaml') },
    { layer: 'tenant', file: path.join('tenants', tenant, 'policy.yaml') },
  ] as const;
  const read = async (look: Look): Promise<readonly PolicySource[]> => {
    const sources: PolicySource[] = [];
    for (const { layer, file } of files) {
      const place = path.join(home.dir, file);
      look(place);
      const text = readIfThere(place);
      if (text !== undefined) sources.push({ layer, file, text });
    }
    return sources;
  };
  return await readings.since(sinceMs).of(readPolicyFiles, `${home.dir}\0${tenant}`, read);
}
