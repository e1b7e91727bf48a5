import fs from 'node:fs';
import { readLastBackup } from '../backup/last-backup.ts';
import { ok, warn, type Check } from './check.ts';

const maxDays = 7;
const dayMs = 86_400_000;

export const backupAge: Check = {
  name: 'backup',
  run: ({ home, nowMs }) => {
    const remedy = 'Run clawhold backup create --to DIR, best from a timer and onto another disk.';
    const last = readLastBackup(home);
    if (last === undefined) return warn('No backup of this home was ever made.', remedy);
    const days = Math.floor((nowMs - last.createdMs) / dayMs);
    if (days > maxDays) return warn(`The last backup is ${days} days old: ${last.archive}.`, remedy);
    if (!fs.existsSync(last.archive))
      return warn(`The last backup is no longer at ${last.archive}.`, 'If it was not moved on purpose, make another one.');
    return ok(`The last backup is ${days} day${days === 1 ? '' : 's'} old: ${last.archive}.`);
  },
};
