import type { ScheduleTime } from '../contracts/schedule.ts';
import { sha256 } from '../contracts/json.ts';
import { slotsOf, type Slots } from './slots.ts';

/** What decides when a job fires. */
export interface JobTiming {
  readonly tenant: string;
  readonly id: string;
  readonly when: ScheduleTime;
  readonly missed?: 'skip' | 'once' | 'all' | undefined;
  readonly jitterSeconds?: number | undefined;
  /** From when `every` counts. */
  readonly anchorMs: number;
  /** The first slot that nobody has taken; undefined: there is none. */
  readonly nextMs?: number | undefined;
}

/** A slot, and when it is acted on: the same for everyone who computes it. */
export interface NextFiring {
  readonly slotMs: number;
  readonly dueMs: number;
}

export interface FiringPlan {
  /** Slots to run, oldest first. */
  readonly run: readonly number[];
  /** Slots that the first of `run` stands for. */
  readonly merged: readonly number[];
  /** Slots that passed and are not run, oldest first. */
  readonly missed: readonly number[];
  /** There are older ones that nobody counted. */
  readonly hasMore: boolean;
  readonly next?: NextFiring;
}

/** What is acted on so soon after it was due is on time; later it was missed. */
export const lateMs = 30_000;
/** At most so many slots of one downtime are looked at. */
export const maxSlots = 100;

/** The first firing after a moment; undefined when there is none. */
export function firstFiring(job: JobTiming, afterMs: number): NextFiring | undefined {
  const slots = slotsOf(job.when, job.anchorMs);
  const slotMs = slots.after(afterMs);
  return slotMs === undefined ? undefined : { slotMs, dueMs: dueOf(job, slots, slotMs) };
}

/**
 * What to do at `nowMs` about all slots from `job.nextMs` on. Pure: whoever asks at the same moment gets the same plan.
 *
 * Slots acted on within 30 s are run. Of later ones: `skip` runs none; `once` runs one for all of them, the newest unless
 * one on time stands for them; `all` runs each, at most the newest 100.
 */
export function planFirings(job: JobTiming, nowMs: number): FiringPlan {
  const slots = slotsOf(job.when, job.anchorMs);
  const { passed, hasMore } = passedSlots(job, slots, nowMs);
  const newest = passed.at(-1);
  const waiting = newest !== undefined && dueOf(job, slots, newest) > nowMs ? passed.pop() : undefined;
  const slotMs = waiting ?? slots.after(nowMs);
  const next = slotMs === undefined ? {} : { next: { slotMs, dueMs: dueOf(job, slots, slotMs) } };
  const isOnTime = (slot: number): boolean => nowMs - dueOf(job, slots, slot) <= lateMs;
  const onTime = passed.filter(isOnTime);
  const late = passed.filter((slot) => !isOnTime(slot));
  const none = { merged: [], missed: [], hasMore, ...next };
  if (late.length === 0) return { ...none, run: onTime };
  if (job.missed === 'all') return { ...none, run: passed };
  if (job.missed !== 'once') return { ...none, run: onTime, missed: late };
  return onTime.length > 0 ? { ...none, run: onTime, merged: late } : { ...none, run: late.slice(-1), merged: late.slice(0, -1) };
}

function passedSlots(job: JobTiming, slots: Slots, nowMs: number): { readonly passed: number[]; readonly hasMore: boolean } {
  const passed: number[] = [];
  const afterMs = (job.nextMs ?? nowMs) - 1;
  let slot = slots.before(nowMs, afterMs);
  for (; slot !== undefined && passed.length < maxSlots; slot = slots.before(slot - 1, afterMs)) passed.unshift(slot);
  return { passed, hasMore: slot !== undefined };
}

/** Jitter is a hash of the slot, and never reaches the next one, so that slots keep their order. */
function dueOf({ tenant, id, jitterSeconds = 0 }: JobTiming, slots: Slots, slotMs: number): number {
  if (jitterSeconds === 0) return slotMs;
  const room = Math.min(jitterSeconds * 1000 + 1, (slots.after(slotMs) ?? Infinity) - slotMs);
  return slotMs + (Number.parseInt(sha256(`${tenant}/${id}/${slotMs}`).slice(0, 12), 16) % room);
}
