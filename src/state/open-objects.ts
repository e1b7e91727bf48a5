import { monotonicMs } from '../contracts/clock.ts';
import type { Objects } from './objects.ts';
import { diskObjects } from './objects/disk.ts';
import { withRecentPuts } from './objects/recent-puts.ts';

export interface ObjectsOptions {
  readonly driver: 'disk';
  /** Made on the first `put`. */
  readonly dir: string;
  /** A text that was put so short a time ago is not looked for again. Default: it always is. */
  readonly trustMs?: number;
}

export function openObjects(options: ObjectsOptions): Objects {
  const drivers = { disk: diskObjects };
  const objects = drivers[options.driver](options.dir);
  const { trustMs = 0 } = options;
  return trustMs === 0 ? objects : withRecentPuts(objects, { trustMs, nowMs: monotonicMs });
}
