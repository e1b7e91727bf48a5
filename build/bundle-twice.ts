import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bundle, readBuild } from './bundle.ts';

/** Fails unless the bundle in `dist/` can be made again, byte for byte, from these sources. */
const root = path.join(import.meta.dirname, '..');
const again = mkdtempSync(path.join(os.tmpdir(), 'clawhold-bundle-'));
try {
  await bundle({ root, outdir: again, ...readBuild(root) });
  const differing = listFiles(again).filter((file) => !sameBytes(file));
  const extra = listFiles(path.join(root, 'dist')).filter((file) => !listFiles(again).includes(file));
  for (const file of [...differing, ...extra]) console.error(`dist/${file} differs between two builds.`);
  console.log(`bundle: ${listFiles(again).length} files, ${differing.length + extra.length} differ`);
  process.exitCode = differing.length + extra.length === 0 ? 0 : 1;
} finally {
  rmSync(again, { recursive: true });
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => statSync(path.join(folder, file)).isFile());
}

function sameBytes(file: string): boolean {
  const original = path.join(root, 'dist', file);
  return statSync(original, { throwIfNoEntry: false }) !== undefined && readFileSync(original).equals(readFileSync(path.join(again, file)));
}
