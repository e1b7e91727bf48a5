import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { defineQueue, defineWorker } from 'plainjob';
import type { Contender } from './contender.ts';

const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

/**
 * plainjob over `node:sqlite` in the place of better-sqlite3, whose binary is not in the registry; its statements and
 * settings are its own. As it comes it does not sync, so that a power cut loses tasks; `isSynced` makes it comparable.
 */
export function openPlainjob(file: string, isSynced: boolean): Contender {
  const database = new DatabaseSync(file);
  const bound = (values: readonly unknown[]): SQLInputValue[] => values as SQLInputValue[];
  const connection = {
    driver: 'better-sqlite3' as const,
    filename: file,
    pragma: (text: string) => database.exec(`PRAGMA ${text}`),
    exec: (text: string) => database.exec(text),
    prepare: (text: string) => {
      const statement = database.prepare(text);
      return {
        run: (...values: unknown[]) => {
          const { changes, lastInsertRowid } = statement.run(...bound(values));
          return { changes: Number(changes), lastInsertRowid };
        },
        get: (...values: unknown[]) => statement.get(...bound(values)),
        all: (...values: unknown[]) => statement.all(...bound(values)),
      };
    },
    transaction: (work: (...values: unknown[]) => unknown) => {
      const within =
        (begin: string) =>
        (...values: unknown[]) => {
          database.exec(begin);
          const result = work(...values);
          database.exec('COMMIT');
          return result;
        };
      return Object.assign(within('BEGIN'), { immediate: within('BEGIN IMMEDIATE') }) as never;
    },
    close: () => database.close(),
  };
  const queue = defineQueue({ connection, logger: silent });
  if (isSynced) database.exec('PRAGMA synchronous = FULL');
  const drain = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1) {
      const job = queue.getAndMarkJobAsProcessing('task');
      if (job === undefined) throw new Error(`${done} of ${count} jobs were there`);
      queue.getJobById(job.id);
      queue.markJobAsDone(job.id);
    }
  };
  return {
    name: isSynced ? 'plainjob, synced' : 'plainjob as it comes, not synced',
    add: async () => queue.add('task', { text: 'x'.repeat(200) }),
    drainOneByOne: drain,
    drainGrouped: drain,
    consume: async (onStart) => {
      const worker = defineWorker('task', onStart, { queue, logger: silent, pollIntervall: 1 });
      const ended = worker.start();
      return {
        [Symbol.asyncDispose]: async () => {
          await worker.stop();
          await ended;
        },
      };
    },
    [Symbol.asyncDispose]: async () => queue.close(),
  };
}
