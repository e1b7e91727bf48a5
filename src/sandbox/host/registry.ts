import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod/mini';
import { type FifoStock, newFifoStock } from '../channel/fifo-stock.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';

const identity = z.strictObject({ pid: z.number(), startTicks: z.string(), bootId: z.string() });

/** Everything of a sandbox that exists outside this process's memory, so that a later process can take it away. */
const record = z.strictObject({
  id: z.string(),
  driver: z.string(),
  label: z.string(),
  owner: identity,
  processes: z.array(identity),
  cgroups: z.array(z.string()),
  containers: z.array(z.strictObject({ engine: z.string(), name: z.string() })),
  /** Mount points made in a workspace for masks of paths that did not exist. */
  placeholders: z.array(z.strictObject({ path: z.string(), ino: z.number(), dev: z.number() })),
  /** Where commands may have left what would act on the host, and since when. */
  workspace: z.optional(z.strictObject({ folder: z.string(), sinceMs: z.number(), masked: z.array(z.string()) })),
});
export type SandboxRecord = z.infer<typeof record>;

/** One live sandbox's folder and record: written before the thing that it names is made. Synchronous: small, and on the way of every start. */
export interface Registration {
  readonly id: string;
  readonly folder: string;
  /** Merges and writes; the file is replaced whole. */
  update(change: Partial<Omit<SandboxRecord, 'id'>>): void;
  remove(): Promise<void>;
}

export function liveFolder(runtimeDir: string): string {
  return path.join(runtimeDir, 'live');
}

/** Makes the folder for sandboxes' runtime files. @throws SandboxUnavailableError when others could write in it. */
export async function prepareRuntimeDir(runtimeDir: string): Promise<void> {
  await mkdir(liveFolder(runtimeDir), { recursive: true });
  await chmod(liveFolder(runtimeDir), 0o711);
  const found = await stat(runtimeDir);
  if (found.uid === process.getuid?.() && (found.mode & 0o022) === 0) return await chmod(runtimeDir, 0o711);
  throw new SandboxUnavailableError(
    'runtime folder',
    `${runtimeDir} belongs to user ${found.uid} with mode ${(found.mode & 0o777).toString(8)}, so others could change what a sandbox is made of`,
    'Give it to the user that runs Clawhold, with mode 0711 or 0700',
  );
}

export interface RegisterOptions {
  readonly runtimeDir: string;
  /** First word of its id. */
  readonly name: string;
  /** `stock`: nobody asked for it yet. */
  readonly driver: string;
  readonly label: string;
  readonly owner: ProcessIdentity;
  /** What will be made under its id. */
  readonly about?: (id: string) => Partial<SandboxRecord>;
}

/** @throws SandboxUnavailableError without a `/proc`. */
export function identifyOwner(driver: string): ProcessIdentity {
  const owner = identifyProcess(process.pid);
  if (owner === undefined) throw new SandboxUnavailableError(driver, '/proc does not show this process', 'Mount /proc');
  return owner;
}

export function registerSandbox({ runtimeDir, name, driver, label, owner, about }: RegisterOptions): Registration {
  const id = `${name}-${randomBytes(6).toString('hex')}`;
  const folder = path.join(liveFolder(runtimeDir), id);
  mkdirSync(folder);
  chmodSync(folder, 0o711);
  const nothing = { processes: [], cgroups: [], containers: [], placeholders: [] };
  let current: SandboxRecord = { id, driver, label, owner, ...nothing, ...about?.(id) };
  const file = path.join(folder, 'record.json');
  const write = (): void => {
    writeFileSync(`${file}.new`, JSON.stringify(current), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  write();
  return {
    id,
    folder,
    update(change) {
      current = { ...current, ...change };
      write();
    },
    async remove() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Made ahead for sandboxes to come; registered like one, so that it is taken away when this process has ended. */
export function openFifoStock(runtimeDir: string, owner: ProcessIdentity): FifoStock {
  return newFifoStock(registerSandbox({ runtimeDir, name: 'stock', driver: 'stock', label: 'FIFOs', owner }).folder);
}

/** Undefined for a folder whose record was never completed: nothing but the folder was made then. */
export async function readRecords(runtimeDir: string): Promise<{ readonly folder: string; readonly record: SandboxRecord | undefined }[]> {
  const names = await readdir(liveFolder(runtimeDir)).catch(() => []);
  return await Promise.all(
    names.map(async (name) => {
      const folder = path.join(liveFolder(runtimeDir), name);
      const text = await readFile(path.join(folder, 'record.json'), 'utf8').catch(() => 'null');
      return { folder, record: parseRecord(text) };
    }),
  );
}

function parseRecord(text: string): SandboxRecord | undefined {
  try {
    return record.parse(JSON.parse(text));
  } catch {
    return undefined; // silent-ok: the folder is taken away all the same
  }
}

/** A number that no other live sandbox of any process has: the lock is a file that only one can create. */
export async function claimUid(
  runtimeDir: string,
  range: { readonly first: number; readonly count: number },
): Promise<{ readonly uid: number; release(): Promise<void> }> {
  const folder = path.join(runtimeDir, 'uids');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const start = randomBytes(4).readUInt32LE() % range.count;
  for (let step = 0; step < range.count; step += 1) {
    const uid = range.first + ((start + step) % range.count);
    const file = path.join(folder, String(uid));
    if (await createLock(file)) return { uid, release: async () => rm(file, { force: true }) };
  }
  throw new SandboxUnavailableError(
    'users',
    `all ${range.count} user numbers from ${range.first} on are taken by live sandboxes`,
    'Stop some, or give a larger range',
  );
}

/** The file's text says who holds it, so that a number held by a dead process is free again. */
async function createLock(file: string): Promise<boolean> {
  const owner = identifyProcess(process.pid);
  const handle = await open(file, 'wx', 0o600).catch(() => undefined);
  if (handle === undefined) return false;
  await handle.writeFile(JSON.stringify(owner));
  await handle.close();
  return true;
}

/** The numbers that are claimed, with the process that claimed each. */
export async function readUidClaims(
  runtimeDir: string,
): Promise<{ readonly file: string; readonly owner: z.infer<typeof identity> | undefined }[]> {
  const folder = path.join(runtimeDir, 'uids');
  const names = await readdir(folder).catch(() => []);
  return await Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name);
      const parsed = identity.safeParse(JSON.parse((await readFile(file, 'utf8').catch(() => '')) || 'null'));
      return { file, owner: parsed.success ? parsed.data : undefined };
    }),
  );
}
