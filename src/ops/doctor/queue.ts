import path from 'node:path';
import { inspectQueue } from '../../state/inspect-queue.ts';
import { readServeState } from '../../state/serve-file.ts';
import { ok, skip, warn, type Check } from './check.ts';

const longWaitMs = 15 * 60_000;

export const queue: Check = {
  name: 'queue',
  run: ({ home, nowMs }) => {
    const counts = inspectQueue(path.join(home.dir, 'queue.db'));
    if (counts.length === 0) return skip('The queue holds nothing.');
    const sum = (of: 'ready' | 'leased' | 'scheduled' | 'dead'): number => counts.reduce((total, row) => total + row[of], 0);
    const { isAlive } = readServeState(home.dir);
    if (!isAlive && sum('ready') + sum('leased') > 0)
      return warn(`${sum('ready') + sum('leased')} tasks wait, and no server runs on this home.`, 'Start clawhold serve.');
    const oldest = Math.min(nowMs, ...counts.flatMap(({ isPaused, oldestReadyMs }) => (isPaused ? [] : (oldestReadyMs ?? []))));
    if (nowMs - oldest > longWaitMs)
      return warn(
        `A task has waited for ${Math.round((nowMs - oldest) / 60_000)} minutes.`,
        'More executors (serve.executors), or a smaller quota for whoever floods; clawhold top shows who waits.',
      );
    if (sum('dead') > 0)
      return warn(
        `${sum('dead')} task${sum('dead') === 1 ? ' is' : 's are'} dead: they failed on every delivery.`,
        'clawhold queue dead shows why, and clawhold queue requeue tries again.',
      );
    return ok(`${sum('ready')} tasks ready, ${sum('leased')} under way, ${sum('scheduled')} scheduled, none dead.`);
  },
};
