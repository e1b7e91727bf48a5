import { fail, ok, warn, type Check } from './check.ts';

const mib = 1024 ** 2;

export const diskSpace: Check = {
  name: 'disk-space',
  run: ({ home, disk }) => {
    const { freeBytes, totalBytes, freeFiles, totalFiles } = disk(home.dir);
    const free = `${Math.round(freeBytes / mib)} MiB of ${Math.round(totalBytes / mib)} MiB`;
    const remedy = 'Make room: clawhold runs prune takes old runs away, and backups can lie on another disk.';
    if (freeBytes < 100 * mib)
      return fail(`The disk of the home is full: ${free} are free, and no effect happens that cannot be recorded.`, remedy);
    if (totalFiles > 0 && freeFiles < 1000) return fail(`The disk of the home takes only ${freeFiles} more files.`, remedy);
    if (freeBytes < 1024 * mib || freeBytes < totalBytes * 0.05)
      return warn(`The disk of the home is nearly full: ${free} are free.`, remedy);
    return ok(`${free} are free on the disk of the home.`);
  },
};
