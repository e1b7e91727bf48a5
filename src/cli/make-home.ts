import path from 'node:path';
import { stringify } from 'yaml';
import { policyTemplates } from '../governance/policy-templates.ts';
import type { DetectedModels } from '../models/detect.ts';
import { writeFileAtomic } from '../state/atomic-file.ts';
import type { Home } from '../state/home.ts';
import { fileSchemas, jsonSchemaOf, type FileSchemaName } from './json-schemas.ts';

/** Files that are made on use, or derived: a repository that holds a home should not track them. */
const gitignore = `# Made by Clawhold on use. Configuration, policies and agents are worth tracking.
*.db*
serve.json
serve.lock
last-backup.json
backups/
deleted/
tenants/*/runs/
tenants/*/ledger/
tenants/*/objects/
tenants/*/artifacts/
*.bak
`;

function editorLine(schema: FileSchemaName): string {
  return `# yaml-language-server: $schema=schemas/${schema}.json\n`;
}

function clawholdYaml({ model, isScripted }: DetectedModels): string {
  const why = isScripted
    ? '# No model was found, so a script answers. For a real one: set OPENAI_API_KEY or ANTHROPIC_API_KEY, or start Ollama,\n# then: clawhold config set model openai/gpt-4o-mini\n'
    : '';
  return `${editorLine('clawhold')}version: 1\n${why}model: ${model}\n# limits: { turns: 40, seconds: 900, toolCalls: 200, tokens: 1000000, usd: 5 }    # ceilings of every run\n`;
}

/** Writes what a new home holds; files that are there are kept. Returns the paths it made, relative to the home. */
export async function fillHome(home: Home, detected: DetectedModels): Promise<string[]> {
  const fs = await import('node:fs/promises');
  const files: Record<string, string> = {
    'clawhold.yaml': clawholdYaml(detected),
    'llm.yaml': `${editorLine('llm')}${stringify(detected.llm)}`,
    '.gitignore': gitignore,
    ...policyTemplates,
  };
  for (const name of Object.keys(fileSchemas) as FileSchemaName[])
    files[`schemas/${name}.json`] = `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`;
  const made: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(home.dir, name);
    if (await fs.stat(file).catch(() => undefined)) continue;
    await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, text, { mode: 0o600 });
    made.push(name);
  }
  return made;
}
