import fs from 'node:fs';
import path from 'node:path';
import { fail, ok, warn, type Check } from './check.ts';
import { tenantsIn } from './tenants-in.ts';

/** Nothing was recorded before this program was written. */
const earliestMs = Date.parse('2025-01-01T00:00:00Z');
const slackMs = 60_000;

export const clock: Check = {
  name: 'clock',
  run: ({ home, nowMs }) => {
    const remedy = 'Set the clock, and let a time service keep it: schedules, leases and records go by it.';
    if (nowMs < earliestMs) return fail(`The clock says ${new Date(nowMs).toISOString()}, which is before this program was made.`, remedy);
    const newest = Math.max(
      0,
      ...tenantsIn(home).map((tenant) => changedMs(path.join(home.ledgerDir(tenant), 'checkpoints.jsonl'))),
      changedMs(home.databaseFile),
    );
    if (newest > nowMs + slackMs)
      return warn(
        `The clock says ${new Date(nowMs).toISOString()}, but records were written at ${new Date(newest).toISOString()}: it stepped back.`,
        remedy,
      );
    return ok('The clock is later than everything that was recorded.');
  },
};

function changedMs(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
