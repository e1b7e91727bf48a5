import { copyFileSync, globSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/**
 * Source reads its assets beside itself, by `import.meta.dirname` or `.url`. In a bundle all code lies in one folder, so those
 * become `<folder>/assets/<where the source was>`, and the assets are copied there. A thread's program is one of them.
 */
export function keepDirname(sourceRoot: string): Plugin {
  return {
    name: 'keep-dirname',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
        const relative = path.relative(sourceRoot, path.dirname(file)).split(path.sep).join('/');
        if (relative.startsWith('..')) return undefined;
        const text = readFileSync(file, 'utf8');
        const contents = text
          .replaceAll('import.meta.dirname', `(import.meta.dirname + ${JSON.stringify(`/assets/${relative}`)})`)
          .replaceAll(/-thread\.ts'(?=, import\.meta\.url)/g, "-thread.cjs'")
          .replaceAll('import.meta.url', `new URL(${JSON.stringify(`assets/${relative}/${path.basename(file)}`)}, import.meta.url).href`);
        return { contents, loader: 'ts' };
      });
    },
  };
}

/** Copies everything under `src/` that is not TypeScript or a room's README. */
export function copyAssets(sourceRoot: string, target: string): void {
  const files = globSync('**/*', { cwd: sourceRoot, withFileTypes: true }).filter((entry) => entry.isFile());
  for (const entry of files) {
    const file = path.relative(sourceRoot, path.join(entry.parentPath, entry.name));
    const isReadme = entry.name === 'README.md' && file.split(path.sep).length === 2;
    if (entry.name.endsWith('.ts') || isReadme || file.split(path.sep).includes('fixtures')) continue;
    mkdirSync(path.dirname(path.join(target, file)), { recursive: true });
    copyFileSync(path.join(sourceRoot, file), path.join(target, file));
  }
}
