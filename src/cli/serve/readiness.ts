import fs from 'node:fs';
import { parseTenantId } from '../../contracts/ids.ts';
import { reasonOf } from '../../contracts/errors.ts';
import type { Scheduler } from '../../control/scheduler.ts';
import type { ReadinessCheck } from '../../gateway/gateway-context.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

/** What the server needs, asked now. */
export async function checkReadiness(
  { installation: { database, home, ledgerOf }, queue }: Pick<ServeTools, 'queue'> & { readonly installation: Installation },
  parts: { readonly executors: () => ReadinessCheck; readonly scheduler: Pick<Scheduler, 'silentMs'> },
): Promise<readonly ReadinessCheck[]> {
  return await Promise.all([
    check('database', () => void database.get('SELECT 1')),
    check('queue', async () => void (await queue.counts())),
    check('disk', () => checkDisk(home.dir)),
    check('ledger', async () => await (await ledgerOf(parseTenantId('default'))).reopen()),
    Promise.resolve(parts.executors()),
    check('scheduler', () => refuseSilence(parts.scheduler.silentMs())),
  ]);
}

/** With less, the next records would find no room. */
const leastFreeBytes = 1024 * 1024;

/** It has a round each second. */
const longestSilenceMs = 60_000;

function refuseSilence(silentMs: number): void {
  if (silentMs > longestSilenceMs) throw new Error(`its last round that ended well is ${Math.round(silentMs / 1000)} s ago`);
}

function checkDisk(dir: string): void {
  fs.accessSync(dir, fs.constants.W_OK);
  const { bavail, bsize } = fs.statfsSync(dir);
  if (bavail * bsize < leastFreeBytes) throw new Error(`${dir} has ${bavail * bsize} bytes left`);
}

async function check(name: string, look: () => void | Promise<void>): Promise<ReadinessCheck> {
  try {
    await look();
    return { name, isReady: true };
  } catch (error) {
    return { name, isReady: false, why: reasonOf(error) };
  }
}
