import { statfsSync } from 'node:fs';
import { lstat, opendir, readdir, readlink, stat, statfs } from 'node:fs/promises';
import path from 'node:path';

const tickMs = 100;

export interface DiskWatchOptions {
  readonly folder: string;
  readonly limitBytes: number;
  /** Only what changed since then counts (milliseconds since the epoch): no need to measure the folder beforehand. */
  readonly sinceMs: number;
  /** A process of the sandbox, by its host number: files that its processes hold open and have deleted count too. */
  readonly memberPid: number | undefined;
}

/**
 * Holds a workspace below a size by looking: free space every 100 ms, which costs one call, and the folder itself only
 * when much of it has gone. So a command can write more than the limit by what it writes in the time of one look.
 */
export interface DiskWatch {
  /** Calls back once, when more than the limit has been written. */
  begin(onExceeded: () => void): { end(): void };
}

export function openDiskWatch(options: DiskWatchOptions): DiskWatch {
  const atStart = statfsSync(options.folder);
  const freeAtStart = atStart.bfree * atStart.bsize;
  let measuredAt = 0;

  async function isExceeded(): Promise<boolean> {
    const gone = freeAtStart - (await freeBytes(options.folder));
    if (gone < options.limitBytes / 2 || Math.abs(gone - measuredAt) < options.limitBytes / 16) return false;
    const used = await changedBytes(options);
    measuredAt = used > options.limitBytes ? 0 : gone;
    return used > options.limitBytes;
  }

  return {
    begin(onExceeded) {
      let stopped = false;
      let timer: NodeJS.Timeout | undefined;
      const look = async (): Promise<void> => {
        const exceeded = await isExceeded().catch(() => false); // silent-ok: the folder is looked at again
        if (stopped) return;
        if (exceeded) onExceeded();
        else timer = setTimeout(() => void look(), tickMs);
      };
      timer = setTimeout(() => void look(), tickMs);
      return {
        end() {
          stopped = true;
          clearTimeout(timer);
        },
      };
    },
  };
}

async function freeBytes(folder: string): Promise<number> {
  const found = await statfs(folder);
  return found.bfree * found.bsize;
}

/** Space on disk of all files that changed since the start. */
export async function changedBytes(options: DiskWatchOptions): Promise<number> {
  return (await changedBelow(options.folder, options.sinceMs)) + (await deletedButOpen(options.memberPid));
}

async function changedBelow(folder: string, sinceMs: number): Promise<number> {
  let sum = 0;
  const entries = await opendir(folder, { recursive: true }).catch(() => undefined);
  if (entries === undefined) return 0;
  for await (const entry of entries) {
    const found = await lstat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
    if (found !== undefined && found.ctimeMs >= sinceMs) sum += found.blocks * 512;
  }
  return sum;
}

async function deletedButOpen(memberPid: number | undefined): Promise<number> {
  if (memberPid === undefined) return 0;
  const namespace = await namespaceOf(String(memberPid));
  if (namespace === undefined) return 0;
  const counted = new Map<string, number>();
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid) || (await namespaceOf(pid)) !== namespace) continue;
    for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const found = await stat(`/proc/${pid}/fd/${fd}`).catch(() => undefined);
      if (found?.nlink === 0 && found.isFile()) counted.set(`${found.dev}:${found.ino}`, found.blocks * 512);
    }
  }
  return [...counted.values()].reduce((sum, bytes) => sum + bytes, 0);
}

async function namespaceOf(pid: string): Promise<string | undefined> {
  return await readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}
