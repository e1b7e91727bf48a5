import type { Objects } from './objects.ts';
import { diskObjects } from './objects/disk.ts';

export interface ObjectsOptions {
  readonly driver: 'disk';
  /** Made on the first `put`. */
  readonly dir: string;
}

export function openObjects(options: ObjectsOptions): Objects {
  const drivers = { disk: diskObjects };
  return drivers[options.driver](options.dir);
}
