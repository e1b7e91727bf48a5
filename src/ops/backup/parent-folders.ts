import path from 'node:path';

/** A root and every folder between it and a file beneath it: what is to be synced when the file is new. */
export function parentFolders(root: string, file: string): string[] {
  const parts = file.split('/').slice(0, -1);
  return [root, ...parts.map((_, at) => path.join(root, ...parts.slice(0, at + 1)))];
}
