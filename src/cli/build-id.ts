import { readFileSync } from 'node:fs';

declare const CLAWHOLD_VERSION: string | undefined;
declare const CLAWHOLD_COMMIT: string | undefined;

/** The program's version: fixed by the bundler, or read from package.json when the source runs. */
export function version(): string {
  if (typeof CLAWHOLD_VERSION === 'string') return CLAWHOLD_VERSION;
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return manifest.version;
}

/** What a record names as the build: version and commit; a source tree has no commit of its own that is true. */
export function buildId(): string {
  return `${version()}+${typeof CLAWHOLD_COMMIT === 'string' ? CLAWHOLD_COMMIT : 'source'}`;
}
