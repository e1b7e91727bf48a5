import fs from 'node:fs';
import { reasonOf } from '../../contracts/errors.ts';
import type { ReadinessCheck } from '../../gateway/gateway-context.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

/** What the server needs, asked now. */
export async function checkReadiness(
  { installation: { database, home }, queue }: Pick<ServeTools, 'queue'> & { readonly installation: Installation },
  executors: () => ReadinessCheck,
): Promise<readonly ReadinessCheck[]> {
  return await Promise.all([
    check('database', () => void database.get('SELECT 1')),
    check('queue', async () => void (await queue.counts())),
    check('disk', () => fs.accessSync(home.dir, fs.constants.W_OK)),
    Promise.resolve(executors()),
  ]);
}

async function check(name: string, look: () => void | Promise<void>): Promise<ReadinessCheck> {
  try {
    await look();
    return { name, isReady: true };
  } catch (error) {
    return { name, isReady: false, why: reasonOf(error) };
  }
}
