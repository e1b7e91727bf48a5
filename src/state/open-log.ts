import type { Log } from './log.ts';
import type { AppendIo } from './log/append-file.ts';
import { orNotWritable } from './not-writable.ts';
import { openJsonlLog } from './log/jsonl.ts';

export { diskIo } from './log/append-file.ts';

export interface LogOptions {
  readonly driver: 'jsonl';
  /** The folder of the segments `000001.jsonl` …; made when it is missing. */
  readonly dir: string;
  /** A segment that has reached this size is followed by a new one. Default 64 MiB. */
  readonly maxSegmentBytes?: number;
  /** Replaces the disk's system calls, for tests of failures. */
  readonly io?: AppendIo;
}

export async function openLog(options: LogOptions): Promise<Log> {
  const drivers = { jsonl: openJsonlLog };
  return orNotWritable(options.dir, () => drivers[options.driver](options));
}
