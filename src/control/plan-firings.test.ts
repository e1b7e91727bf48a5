import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstFiring, planFirings, type JobTiming } from './plan-firings.ts';

const at = (text: string): number => Date.parse(`2026-06-01T${text}Z`);
const shown = (slots: readonly number[]): string[] => slots.map((ms) => new Date(ms).toISOString().slice(11, 19));
const hourly: JobTiming = { tenant: 'default', id: 'a', when: { cron: '0 * * * *' }, anchorMs: at('00:00:00'), nextMs: at('01:00:00') };

const cases = [
  { title: 'nothing before it is due', job: hourly, now: '00:59:59', run: [], merged: [], missed: [], next: '01:00:00' },
  { title: 'a slot on time', job: hourly, now: '01:00:30', run: ['01:00:00'], merged: [], missed: [], next: '02:00:00' },
  {
    title: 'skip is what holds where nothing is said',
    job: hourly,
    now: '04:10:00',
    run: [],
    merged: [],
    missed: ['01:00:00', '02:00:00', '03:00:00', '04:00:00'],
    next: '05:00:00',
  },
  {
    title: 'skip still runs the slot of just now',
    job: hourly,
    now: '04:00:05',
    run: ['04:00:00'],
    merged: [],
    missed: ['01:00:00', '02:00:00', '03:00:00'],
    next: '05:00:00',
  },
  {
    title: 'once runs the newest for all',
    job: { ...hourly, missed: 'once' as const },
    now: '03:10:00',
    run: ['03:00:00'],
    merged: ['01:00:00', '02:00:00'],
    missed: [],
    next: '04:00:00',
  },
  {
    title: 'once runs none besides the slot of just now',
    job: { ...hourly, missed: 'once' as const },
    now: '03:00:05',
    run: ['03:00:00'],
    merged: ['01:00:00', '02:00:00'],
    missed: [],
    next: '04:00:00',
  },
  {
    title: 'all runs each',
    job: { ...hourly, missed: 'all' as const },
    now: '03:10:00',
    run: ['01:00:00', '02:00:00', '03:00:00'],
    merged: [],
    missed: [],
    next: '04:00:00',
  },
];
for (const { title, job, now, ...expected } of cases) {
  test(`a plan after downtime: ${title}`, () => {
    const plan = planFirings(job, at(now));

    assert.deepEqual(
      { run: shown(plan.run), merged: shown(plan.merged), missed: shown(plan.missed), next: shown([plan.next!.slotMs])[0] },
      expected,
    );
  });
}

test('of ten years of missed seconds the newest hundred are looked at, at once', () => {
  const job: JobTiming = { ...hourly, when: { every: '1s' }, missed: 'all', nextMs: at('00:00:01') };

  const plan = planFirings(job, at('00:00:00') + 10 * 365 * 24 * 3_600_000);

  assert.equal(plan.run.length, 100);
  assert.equal(plan.hasMore, true);
});

test('jitter is the same for everyone, differs between slots and jobs, and never reaches the next slot', () => {
  const job: JobTiming = { ...hourly, when: { every: '10s' }, jitterSeconds: 3600 };
  const jitterOf = (one: JobTiming): number[] => {
    const found: number[] = [];
    for (let ms = at('01:00:00'); found.length < 50;) {
      const next = firstFiring(one, ms)!;
      found.push(next.dueMs - next.slotMs);
      ms = next.slotMs;
    }
    return found;
  };

  assert.deepEqual(jitterOf(job), jitterOf(job));
  assert.notDeepEqual(jitterOf(job), jitterOf({ ...job, id: 'b' }));
  assert.ok(new Set(jitterOf(job)).size > 40);
  assert.ok(jitterOf(job).every((ms) => ms >= 0 && ms < 10_000));
});

test('a slot with jitter waits for its own moment, and is late only from there', () => {
  const job: JobTiming = { ...hourly, jitterSeconds: 3600 };
  const { slotMs, dueMs } = firstFiring(job, at('00:30:00'))!;

  assert.deepEqual(planFirings(job, dueMs - 1).run, []);
  assert.deepEqual(planFirings(job, dueMs - 1).next, { slotMs, dueMs });
  assert.deepEqual(planFirings(job, dueMs).run, [slotMs]);
});
