import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The licence texts of every package whose code is in the bundle, as their licences ask. */
export function collectLicenses(root: string, inputs: readonly string[]): string {
  const packages = new Set<string>();
  for (const input of inputs) {
    const name = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
    if (name !== undefined) packages.add(name);
  }
  return [...packages]
    .toSorted()
    .map((name) => licenseOf(path.join(root, 'node_modules', name), name))
    .join('\n');
}

function licenseOf(folder: string, name: string): string {
  const manifest: { version: string; license?: string } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const file = globSync('LICEN[CS]E*', { cwd: folder }).toSorted()[0];
  const text = file === undefined ? `${manifest.license ?? 'No licence stated'}\n` : readFileSync(path.join(folder, file), 'utf8');
  return `== ${name} ${manifest.version}\n\n${text}`;
}
