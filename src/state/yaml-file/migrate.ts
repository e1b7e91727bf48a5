import type { Document } from 'yaml';
import { FixRequestError } from '../../contracts/errors.ts';
import { editorOf, type YamlEditor } from './editor.ts';

/** What a file's `version` may be, and how an older one becomes the current one. */
export interface FileVersions {
  readonly current: number;
  /** By the version it starts from; each makes the next one. The `version` field itself is set by the caller. */
  readonly migrations: Readonly<Record<number, (file: YamlEditor) => void>>;
}

export const firstVersion: FileVersions = { current: 1, migrations: {} };

/**
 * Brings a document up to the current version in memory; returns the version it had, if it was older.
 * @throws FixRequestError when it is newer than this build knows.
 */
export function migrate(document: Document, file: string, versions: FileVersions): number | undefined {
  const found = document.get('version');
  if (typeof found !== 'number' || !Number.isInteger(found) || found < 1) return undefined;
  if (found > versions.current) {
    throw new FixRequestError(
      'config.newer',
      `${file} has version ${found}, but this Clawhold knows version ${versions.current} at most: a newer one wrote it. Use that one, or write the file anew.`,
    );
  }
  for (let version = found; version < versions.current; version += 1) {
    versions.migrations[version]?.(editorOf(document));
    document.set('version', version + 1);
  }
  return found < versions.current ? found : undefined;
}
