import { spawnSync } from 'node:child_process';

/** Why a suite cannot run here; undefined when it can. In CI everything can be installed, so there a skip is a failure. */
export function whyNot(...programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = programs.filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`;
}
