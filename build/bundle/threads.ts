import { globSync } from 'node:fs';
import path from 'node:path';

/**
 * Programs of threads: files named `*-thread.ts` under `src/`, but for those of tests (`fixtures/`). Each is bundled by
 * itself to where the source's `new URL('./x-thread.ts', import.meta.url)` leads in the bundle (see `keepDirname`), as
 * CommonJS.
 */
export function threadEntries(sourceRoot: string): Record<string, string> {
  const files = globSync('**/*-thread.ts', { cwd: sourceRoot }).map((file) => file.split(path.sep).join('/'));
  const shipped = files.filter((file) => !file.split('/').includes('fixtures'));
  return Object.fromEntries(shipped.toSorted().map((file) => [`assets/${file.slice(0, -'.ts'.length)}`, path.join(sourceRoot, file)]));
}
