import { Cron } from 'croner';
import type { ScheduleTime } from '../contracts/schedule.ts';
import { latestWall, momentOf, openZone, type Zone } from './slots/wall-time.ts';

/** All moments at which a job is due, computed one from the other; milliseconds since the epoch. */
export interface Slots {
  /** The first one after a moment; undefined: there is none. */
  after(momentMs: number): number | undefined;
  /** The last one at or before a moment, but after `afterMs`. */
  before(momentMs: number, afterMs: number): number | undefined;
}

/** Why a job with this time could never fire; undefined when it can. `field` is the part of it that is wrong. */
export function timeFault(time: ScheduleTime): { readonly field: 'cron' | 'timezone'; readonly message: string } | undefined {
  if (time.cron === undefined) return undefined;
  if (time.timezone !== undefined && openZone(time.timezone) === undefined)
    return { field: 'timezone', message: `is ${JSON.stringify(time.timezone)}, which is no time zone; write one such as Europe/Berlin` };
  const what = `is ${JSON.stringify(time.cron)}, which is no cron expression`;
  try {
    if (parseCron(time.cron).nextRun(new Date()) !== null) return undefined;
    return { field: 'cron', message: `is ${JSON.stringify(time.cron)}, which never comes; write one such as "0 2 * * *"` };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '').replace(/\.$/, '') : 'it cannot be read';
    return { field: 'cron', message: `${what} (${why}); write minute, hour, day, month and weekday, such as "0 2 * * *"` };
  }
}

/**
 * The moments of a job. Those of `cron` are wall times of its zone: each is due at the first moment at which the clocks
 * of the zone show it or, where it is skipped, have passed it. So an hour that comes twice has its slots once, and all
 * slots of an hour that does not exist are one, at the end of the gap. `every` counts real time from `anchorMs`.
 *
 * `time` is one that `timeFault` finds nothing wrong with.
 */
export function slotsOf(time: ScheduleTime, anchorMs: number): Slots {
  if (time.at !== undefined) return onceAt(Date.parse(time.at));
  if (time.every !== undefined) return everyMs(intervalMs(time.every), anchorMs);
  const zone = openZone(time.timezone ?? 'UTC') ?? openZone('UTC');
  return cronSlots(parseCron(time.cron ?? ''), zone as Zone);
}

/** In UTC, where no clock is ever set: the zone is applied to what comes out. */
function parseCron(expression: string): Cron {
  return new Cron(expression, { timezone: 'Etc/UTC', mode: '5-or-6-parts', paused: true });
}

function onceAt(atMs: number): Slots {
  return {
    after: (momentMs) => (momentMs < atMs ? atMs : undefined),
    before: (momentMs, afterMs) => (atMs <= momentMs && atMs > afterMs ? atMs : undefined),
  };
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `90s`, `15m`, `6h`, `1d`. */
function intervalMs(text: string): number {
  return Number(text.slice(0, -1)) * (units[text.slice(-1)] ?? 1000);
}

function everyMs(stepMs: number, anchorMs: number): Slots {
  const count = (momentMs: number): number => Math.floor((momentMs - anchorMs) / stepMs);
  return {
    after: (momentMs) => anchorMs + Math.max(1, count(momentMs) + 1) * stepMs,
    before: (momentMs, afterMs) => {
      const slot = anchorMs + count(momentMs) * stepMs;
      return slot > afterMs && slot > anchorMs ? slot : undefined;
    },
  };
}

function cronSlots(cron: Cron, zone: Zone): Slots {
  return {
    after: (momentMs) => {
      for (let wall = momentMs + zone.offsetMs(momentMs); ;) {
        const next = cron.nextRun(new Date(wall))?.getTime();
        if (next === undefined) return undefined;
        const slot = momentOf(zone, next);
        if (slot > momentMs) return slot;
        wall = next;
      }
    },
    before: (momentMs, afterMs) => {
      // One second later, for the one before it may be this very moment.
      for (let wall = latestWall(zone, momentMs) + 1000; ;) {
        const previous = cron.previousRuns(1, new Date(wall))[0]?.getTime();
        if (previous === undefined) return undefined;
        const slot = momentOf(zone, previous);
        if (slot <= afterMs) return undefined;
        if (slot <= momentMs) return slot;
        wall = previous;
      }
    },
  };
}
