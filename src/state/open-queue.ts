import type { Clock } from '../contracts/clock.ts';
import type { Queue } from './queue.ts';

export interface QueueOptions {
  readonly driver: 'sqlite';
  /** `queue.db` of a home: a file of its own, for its write lock is held often. Made (mode 0600) when it is missing. */
  readonly file: string;
  /** Decides what is due by the calendar: `notBeforeMs`, and the age of finished tasks. */
  readonly clock: Clock;
  /**
   * Milliseconds of a clock that no one sets and that all processes of the machine share: the ends of leases and the
   * delays of `nak` are measured by it. Default: the kernel's. Tests move it together with `clock`.
   */
  readonly monotonicMs?: () => number;
  /** The file grows no further than this; then a put is refused as on a full disk. Default: no bound. */
  readonly maxBytes?: number;
  /** Another process puts the tasks that this one waits for: while some come, they are looked for more often. */
  readonly isFedElsewhere?: boolean;
}

export async function openQueue(options: QueueOptions): Promise<Queue> {
  const drivers = { sqlite: async () => (await import('./queue/sqlite.ts')).openSqliteQueue };
  const open = await drivers[options.driver]();
  return open(options);
}
