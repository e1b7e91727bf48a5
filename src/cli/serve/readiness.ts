import fs from 'node:fs';
import { parseTenantId } from '../../contracts/ids.ts';
import { reasonOf } from '../../contracts/errors.ts';
import type { ReadinessCheck } from '../../gateway/gateway-context.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

/** What the server needs, asked now. */
export async function checkReadiness(
  { installation: { database, home, ledgerOf }, queue }: Pick<ServeTools, 'queue'> & { readonly installation: Installation },
  executors: () => ReadinessCheck,
): Promise<readonly ReadinessCheck[]> {
  return await Promise.all([
    check('database', () => void database.get('SELECT 1')),
    check('queue', async () => void (await queue.counts())),
    check('disk', () => checkDisk(home.dir)),
    check('ledger', async () => await (await ledgerOf(parseTenantId('default'))).reopen()),
    Promise.resolve(executors()),
  ]);
}

/** With less, the next records would find no room. */
const leastFreeBytes = 1024 * 1024;

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
