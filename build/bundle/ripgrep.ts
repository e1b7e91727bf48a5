import { copyFileSync, existsSync, globSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** In a bundle the binary lies beside the code; without it (another kind of machine) the installed package is asked. */
const source = `
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
const beside = import.meta.dirname + '/bin/rg-' + process.platform + '-' + process.arch;
export const rgPath = existsSync(beside) ? beside : createRequire(import.meta.url).resolve('@vscode/ripgrep-' + process.platform + '-' + process.arch + '/bin/rg');
`;

/** Stands in for `@vscode/ripgrep`, which looks for its binary in `node_modules`. */
export const ownRipgrep: Plugin = {
  name: 'own-ripgrep',
  setup(build) {
    build.onResolve({ filter: /^@vscode\/ripgrep$/ }, () => ({ path: '@vscode/ripgrep', namespace: 'own-ripgrep' }));
    build.onLoad({ filter: /.*/, namespace: 'own-ripgrep' }, () => ({ contents: source, loader: 'js' }));
  },
};

export function copyRipgrep(modules: string, target: string): void {
  for (const folder of globSync('@vscode/ripgrep-*-*', { cwd: modules })) {
    const binary = path.join(modules, folder, 'bin', 'rg');
    if (!existsSync(binary)) continue;
    mkdirSync(target, { recursive: true });
    copyFileSync(binary, path.join(target, `rg-${folder.slice('@vscode/ripgrep-'.length)}`));
  }
}
