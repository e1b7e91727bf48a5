/**
 * Days and times that a person wrote in words, so that `2024-05-19 10:00` is what "on May 19th at 10 am" said.
 * English month names; a day without a year stands for that day of any year.
 */
export interface DatesHeard {
  readonly days: Set<string>;
  readonly times: Set<string>;
}

const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'];
const month = `(${months.map((name) => `${name.slice(0, 3)}(?:${name.slice(3)})?`).join('|')})\\.?`;
const day = '(\\d{1,2})(?:st|nd|rd|th)?';
const year = '(?:,? (\\d{4}))?(?!\\d)';
// Made when they are needed: their classes cost time that a run without tool calls has no use for.
const monthFirst = (): RegExp => new RegExp(`(?<![\\p{L}\\p{N}])${month} (?:the )?${day}(?![\\d:])${year}`, 'gu');
const dayFirst = (): RegExp => new RegExp(`(?<![\\p{L}\\p{N}])${day} (?:of )?${month}(?![\\p{L}])${year}`, 'gu');
const isoDay = /(?<![\d-])(\d{4}-\d\d-\d\d)(?![\d-])/g;
const clock = /(?<![\d:.])(\d{1,2})(?::(\d\d))?(?::\d\d)? ?(am|pm|a\.m\.|p\.m\.)?(?![\d:])/g;
const isoMoment = /^(\d{4}-\d\d-\d\d)(?:[t ](\d\d:\d\d)(?::00(?:\.0+)?)?z?)?$/;

/** Adds what a text says of days and times. */
export function hearDates(raw: string, heard: DatesHeard): void {
  const text = raw.toLowerCase().replace(/\s+/g, ' ');
  for (const [, name, number, inYear] of text.matchAll(monthFirst())) heard.days.add(dayKey(name, number, inYear));
  for (const [, number, name, inYear] of text.matchAll(dayFirst())) heard.days.add(dayKey(name, number, inYear));
  for (const [, iso = ''] of text.matchAll(isoDay)) heard.days.add(iso);
  for (const [, hours, minutes, half] of text.matchAll(clock))
    if (minutes !== undefined || half !== undefined) heard.times.add(timeKey(hours, minutes, half));
  if (/\bnoon\b/.test(text)) heard.times.add('12:00');
  if (/\bmidnight\b/.test(text)) heard.times.add('00:00');
}

/** Whether a value is a day, or a moment, that was heard: both its day and its time. */
export function isHeardMoment(value: string, heard: DatesHeard): boolean {
  const [, date, time] = isoMoment.exec(value.trim().toLowerCase()) ?? [];
  if (date === undefined) return false;
  const isDay = heard.days.has(date) || heard.days.has(date.slice(4));
  return isDay && (time === undefined || heard.times.has(time) || (time === '00:00' && heard.times.size === 0));
}

function dayKey(name = '', number = '', inYear?: string): string {
  const index = months.findIndex((each) => each.startsWith(name.slice(0, 3))) + 1;
  return `${inYear ?? ''}-${String(index).padStart(2, '0')}-${number.padStart(2, '0')}`;
}

function timeKey(hours = '', minutes = '00', half?: string): string {
  const isLate = half?.startsWith('p') === true;
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (isLate ? 12 : 0);
  return `${String(hour).padStart(2, '0')}:${minutes}`;
}
