/**
 * Wall time of a zone, written as milliseconds as if it were UTC: `wall` below. A moment is milliseconds since the epoch.
 */
export interface Zone {
  /** What the zone's clocks show at a moment, beyond UTC. */
  offsetMs(momentMs: number): number;
}

const hour = 3_600_000;
const day = 24 * hour;

/** Undefined when there is no such zone. */
export function openZone(name: string): Zone | undefined {
  if (name === 'UTC') return { offsetMs: () => 0 };
  let format: Intl.DateTimeFormat;
  try {
    const numbers = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
    format = new Intl.DateTimeFormat('en-US', { timeZone: name, hourCycle: 'h23', era: 'short', ...numbers });
  } catch {
    // silent-ok: the caller says that there is no such zone.
    return undefined;
  }
  return { offsetMs: (momentMs) => wallOf(format, momentMs) - Math.floor(momentMs / 1000) * 1000 };
}

function wallOf(format: Intl.DateTimeFormat, momentMs: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(momentMs)) part[type] = Number(value);
  const { year = 0, month = 1, day: date = 1, hour: hours = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, date, hours, minute, second);
}

/**
 * The first moment at which the zone's clocks show this wall time or a later one: of a time that comes twice the first,
 * of a time that is skipped the end of the gap.
 */
export function momentOf(zone: Zone, wall: number): number {
  const before = zone.offsetMs(wall - day);
  const after = zone.offsetMs(wall + day);
  const hits = [wall - before, wall - after].filter((moment) => moment + zone.offsetMs(moment) === wall);
  if (hits.length > 0) return Math.min(...hits);
  return endOfGap(zone, wall, { low: wall - Math.max(before, after), high: wall - Math.min(before, after) });
}

/** Between `low` (clocks show less) and `high` (they show `wall` or more) they are set forward once. */
function endOfGap(zone: Zone, wall: number, { low, high }: { low: number; high: number }): number {
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (middle + zone.offsetMs(middle) >= wall) high = middle;
    else low = middle;
  }
  return high;
}

/** The latest wall time that the clocks have shown by a moment: later than now's when they were set back within a day. */
export function latestWall(zone: Zone, momentMs: number): number {
  return momentMs + Math.max(zone.offsetMs(momentMs), zone.offsetMs(momentMs - day), zone.offsetMs(momentMs - 3 * hour));
}
