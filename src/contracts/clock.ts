/** Time, as a dependency: tests move it, a run records it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/**
 * Milliseconds of a clock that only goes on, from any point, the same for all processes of a machine: unlike that of the
 * global `performance`, which also loads modules that cost each command 2 ms.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
