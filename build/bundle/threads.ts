import { globSync } from 'node:fs';
import path from 'node:path';

/**
 * Programs of threads: files named `*-thread.ts` under `src/`. Each is bundled by itself to where the source's
 * `new URL('./x-thread.ts', import.meta.url)` leads in the bundle (see `keepDirname`), as CommonJS.
 */
export function threadEntries(sourceRoot: string): Record<string, string> {
  const files = globSync('**/*-thread.ts', { cwd: sourceRoot }).map((file) => file.split(path.sep).join('/'));
  return Object.fromEntries(files.toSorted().map((file) => [`assets/${file.slice(0, -'.ts'.length)}`, path.join(sourceRoot, file)]));
}
