import fs from 'node:fs/promises';
import path from 'node:path';

export interface WalkedFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly isFile: boolean;
}

/**
 * Everything below a folder that is no folder, in the order of names. Links are told of, never followed. What
 * disappears meanwhile is left out.
 */
export async function* walkFiles(root: string, isWanted: (relative: string) => boolean = () => true): AsyncGenerator<WalkedFile> {
  const pending = [''];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    const entries = await fs.readdir(path.join(root, folder), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const relative = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (!isWanted(relative)) continue;
      // A name that was no UTF-8 cannot be asked for by the text that it was read as.
      if (entry.isDirectory() && !entry.name.includes('\uFFFD')) pending.push(relative);
      else yield { path: relative, isFile: entry.isFile() };
    }
  }
}
