import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ScheduleTime } from '../contracts/schedule.ts';
import { slotsOf, timeFault } from './slots.ts';

const at = (text: string): number => Date.parse(text);
const shown = (ms: number | undefined): string => (ms === undefined ? 'none' : new Date(ms).toISOString());

/** The slots after a moment, as a person would write them. */
function next(time: ScheduleTime, after: string, count: number): string[] {
  const slots = slotsOf(time, at('2026-01-01T00:00:00Z'));
  const found: string[] = [];
  for (let ms = at(after); found.length < count;) {
    const slot = slots.after(ms);
    if (slot === undefined) return [...found, 'none'];
    found.push(shown(slot));
    ms = slot;
  }
  return found;
}

const transitions = [
  {
    title: 'Berlin, 02:30 in the hour that does not exist fires at the end of the gap, once',
    time: { cron: '30 2 * * *', timezone: 'Europe/Berlin' },
    after: '2026-03-28T00:00:00Z',
    slots: ['2026-03-28T01:30:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'],
  },
  {
    title: 'Berlin, all slots of the missing hour are one slot, which is that of 03:00 too',
    time: { cron: '*/20 1-3 * * *', timezone: 'Europe/Berlin' },
    after: '2026-03-29T00:30:00Z',
    slots: ['2026-03-29T00:40:00.000Z', '2026-03-29T01:00:00.000Z', '2026-03-29T01:20:00.000Z'],
  },
  {
    title: 'Berlin, 02:30 in the hour that comes twice fires the first time only',
    time: { cron: '30 2 * * *', timezone: 'Europe/Berlin' },
    after: '2026-10-24T12:00:00Z',
    slots: ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'],
  },
  {
    title: 'Berlin, an hourly slot is silent while the clocks show an hour again',
    time: { cron: '0 * * * *', timezone: 'Europe/Berlin' },
    after: '2026-10-24T23:30:00Z',
    slots: ['2026-10-25T00:00:00.000Z', '2026-10-25T02:00:00.000Z', '2026-10-25T03:00:00.000Z'],
  },
  {
    title: 'New York, the gap of March',
    time: { cron: '15 2 * * *', timezone: 'America/New_York' },
    after: '2026-03-07T12:00:00Z',
    slots: ['2026-03-08T07:00:00.000Z', '2026-03-09T06:15:00.000Z'],
  },
  {
    title: 'New York, the overlap of November',
    time: { cron: '*/30 1 * * *', timezone: 'America/New_York' },
    after: '2026-11-01T04:00:00Z',
    slots: ['2026-11-01T05:00:00.000Z', '2026-11-01T05:30:00.000Z', '2026-11-02T06:00:00.000Z'],
  },
  {
    title: 'Lord Howe, a gap of half an hour',
    time: { cron: '15 2 * * *', timezone: 'Australia/Lord_Howe' },
    after: '2026-10-02T20:00:00Z',
    slots: ['2026-10-03T15:30:00.000Z', '2026-10-04T15:15:00.000Z'],
  },
  {
    title: 'Lord Howe, an overlap of half an hour',
    time: { cron: '*/15 1 * * *', timezone: 'Australia/Lord_Howe' },
    after: '2026-04-04T14:05:00Z',
    slots: ['2026-04-04T14:15:00.000Z', '2026-04-04T14:30:00.000Z', '2026-04-04T14:45:00.000Z', '2026-04-05T14:30:00.000Z'],
  },
  {
    title: 'Apia, the day that was left out: its slots are one, at the end of the gap',
    time: { cron: '0 12 * * *', timezone: 'Pacific/Apia' },
    after: '2011-12-28T23:00:00Z',
    slots: ['2011-12-29T22:00:00.000Z', '2011-12-30T10:00:00.000Z', '2011-12-30T22:00:00.000Z'],
  },
  {
    title: 'UTC is the zone where none is named',
    time: { cron: '0 2 * * *' },
    after: '2026-03-29T00:00:00Z',
    slots: ['2026-03-29T02:00:00.000Z', '2026-03-30T02:00:00.000Z'],
  },
  {
    title: 'seconds as a sixth field in front',
    time: { cron: '*/30 59 23 * * *' },
    after: '2026-01-01T23:59:00Z',
    slots: ['2026-01-01T23:59:30.000Z', '2026-01-02T23:59:00.000Z'],
  },
  {
    title: 'at is due once, wherever its offset is',
    time: { at: '2026-12-24T18:00:00+01:00' },
    after: '2026-01-01T00:00:00Z',
    slots: ['2026-12-24T17:00:00.000Z', 'none'],
  },
  {
    title: 'every counts real time from when the job was made, and never from before it',
    time: { every: '90s' },
    after: '2025-06-01T00:00:00Z',
    slots: ['2026-01-01T00:01:30.000Z', '2026-01-01T00:03:00.000Z'],
  },
];
for (const { title, time, after, slots } of transitions) {
  test(`slots: ${title}`, () => {
    assert.deepEqual(next(time, after, slots.length), slots);
  });
}

const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC'];
const expressions = ['*/7 * * * *', '30 2 * * *', '0 0,1,2,3 * * *', '15 1 * * SUN', '59 23 L * *'];

test('slots: walking forward and walking back name the same moments, also through every change of the clocks', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...expressions),
      fc.constantFrom('2026-03-08', '2026-03-29', '2026-04-05', '2026-10-04', '2026-10-25', '2026-11-01', '2026-07-01'),
      fc.integer({ min: -180, max: 180 }),
      (timezone, cron, day, minutes) => {
        const slots = slotsOf({ cron, timezone }, 0);
        const from = at(`${day}T01:00:00Z`) + minutes * 60_000;
        const forward: number[] = [];
        for (let ms = from; forward.length < 12;) forward.push((ms = slots.after(ms) ?? NaN));
        const back: number[] = [];
        for (let ms: number | undefined = slots.before(forward.at(-1)!, from); ms !== undefined; ms = slots.before(ms - 1, from))
          back.unshift(ms);

        assert.deepEqual(back.map(shown), forward.map(shown));
        assert.ok(forward.every((slot, index) => slot > (forward[index - 1] ?? from)));
      },
    ),
    { numRuns: 150 },
  );
});

test('slots: the second time that an hour comes has none, from either side', () => {
  const slots = slotsOf({ cron: '*/10 * * * *', timezone: 'Europe/Berlin' }, 0);

  assert.equal(shown(slots.after(at('2026-10-25T00:50:00Z'))), '2026-10-25T02:00:00.000Z');
  assert.equal(shown(slots.after(at('2026-10-25T01:15:00Z'))), '2026-10-25T02:00:00.000Z');
  assert.equal(shown(slots.before(at('2026-10-25T01:15:00Z'), 0)), '2026-10-25T00:50:00.000Z');
});

const faults = [
  {
    time: { cron: '61 * * * *' },
    field: 'cron',
    message: /is "61 \* \* \* \*", which is no cron expression \(Invalid value for minute: 61\)/,
  },
  { time: { cron: '0 2 * *' }, field: 'cron', message: /no cron expression/ },
  { time: { cron: '* * * * * * *' }, field: 'cron', message: /no cron expression/ },
  { time: { cron: '@reboot' }, field: 'cron', message: /no cron expression/ },
  { time: { cron: '0 0 30 2 *' }, field: 'cron', message: /never comes/ },
  { time: { cron: '@daily', timezone: 'Mars/Olympus' }, field: 'timezone', message: /"Mars\/Olympus", which is no time zone/ },
];
for (const { time, field, message } of faults) {
  test(`slots: ${JSON.stringify(time)} is refused with its reason`, () => {
    const fault = timeFault(time);

    assert.equal(fault?.field, field);
    assert.match(fault?.message ?? '', message);
  });
}

test('slots: good times have no fault', () => {
  for (const time of [
    { cron: '@daily' },
    { cron: '0 2 * * *', timezone: 'Europe/Berlin' },
    { every: '1s' },
    { at: '2026-01-01T00:00:00Z' },
  ])
    assert.equal(timeFault(time), undefined);
});
