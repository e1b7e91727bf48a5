import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod/mini';
import { writeFileAtomic } from './atomic-file.ts';
import { isClaimed, tryClaim } from './lock.ts';
import { whenRead } from '../contracts/when-read.ts';

const count = z.number().check(z.int(), z.nonnegative());

/** `<home>/serve.json`: who serves this home, for commands that run beside the server. It holds no secret. */
export const serveFacts = whenRead(() =>
  z.object({
    pid: z.number().check(z.int(), z.positive()),
    /** Where the gateway listens, `http://127.0.0.1:8787`. */
    url: z.string(),
    startedMs: count,
    version: z.string(),
    build: z.optional(z.string()),
    /** Tasks that executors may work on at the same time. */
    executorSlots: z.optional(count),
    /** Child processes that execute tasks; absent when the server does it itself. */
    executorPids: z.optional(z.array(z.number().check(z.int(), z.positive()))),
  }),
);
export type ServeFacts = z.infer<typeof serveFacts>;

/** The right to serve a home, held until it is disposed or the process dies. */
export interface ServeClaim extends AsyncDisposable {
  /** Writes who serves, and replaces what was written before. */
  announce(facts: ServeFacts): Promise<void>;
}

export interface ServeState {
  /** Whether a process serves this home now. The kernel knows it: neither a stale file nor a reused pid counts. */
  readonly isAlive: boolean;
  /** What the server wrote; of a dead one, what it left. Absent: it wrote nothing that can be read. */
  readonly facts?: ServeFacts;
}

function fileOf(homeDir: string): string {
  return path.join(homeDir, 'serve.json');
}

function lockOf(homeDir: string): string {
  return path.join(homeDir, 'serve.lock');
}

/** Takes the right to serve a home; undefined when another process has it. */
export function claimServe(homeDir: string): ServeClaim | undefined {
  const claim = tryClaim(lockOf(homeDir));
  if (claim === undefined) return undefined;
  return {
    announce: async (facts) => await writeFileAtomic(fileOf(homeDir), `${JSON.stringify(facts, undefined, 2)}\n`, { mode: 0o600 }),
    [Symbol.asyncDispose]: async () => {
      // The file goes first: whoever takes the lock next writes its own.
      fs.rmSync(fileOf(homeDir), { force: true });
      claim.release();
    },
  };
}

/** Who serves a home. */
export function readServeState(homeDir: string): ServeState {
  const facts = readFacts(fileOf(homeDir));
  return { isAlive: isClaimed(lockOf(homeDir)), ...(facts === undefined ? {} : { facts }) };
}

function readFacts(file: string): ServeFacts | undefined {
  try {
    return serveFacts.parse(JSON.parse(fs.readFileSync(file, 'utf8')));
  } catch {
    // silent-ok: a file that is missing or no such record says nothing; the lock says whether a server lives.
    return undefined;
  }
}
