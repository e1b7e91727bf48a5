import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { promisify } from 'node:util';
import * as z from 'zod/mini';
import { isAlive, killProcess, waitForEnd } from './host/process-identity.ts';
import { readRecords, readUidClaims, type SandboxRecord } from './host/registry.ts';
import { killGroups, removeGroups } from './host/resource-group.ts';
import { removePlaceholders } from './workspace/placeholders.ts';
import { removeHostActs } from './workspace/remove-host-acts.ts';

export interface ReapReport {
  /** Ids of sandboxes whose process had died, and of which nothing remains now. */
  readonly reaped: readonly string[];
  /** What could not be taken away, with the reason: it is tried again at the next start. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

/**
 * Takes away what sandboxes of dead processes left: processes, groups, containers, folders, mount points in
 * workspaces, and files there that would act on the host. Those of living processes are not touched. Called at start.
 */
export async function reapOrphans(runtimeDir: string): Promise<ReapReport> {
  const reaped: string[] = [];
  const failed: { id: string; reason: string }[] = [];
  for (const { folder, record } of await readRecords(runtimeDir)) {
    if (record !== undefined && isAlive(record.owner)) continue;
    try {
      if (record !== undefined) await reapOne(record);
      await rm(folder, { recursive: true, force: true });
      if (record?.driver !== 'stock') reaped.push(record?.id ?? folder);
    } catch (error) {
      failed.push({ id: record?.id ?? folder, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  for (const { file, owner } of await readUidClaims(runtimeDir)) {
    if (owner === undefined || !isAlive(owner)) await rm(file, { force: true });
  }
  return { reaped, failed };
}

/** A sandbox of this machine, as its record says. */
export interface ListedSandbox {
  readonly id: string;
  readonly driver: string;
  /** The run that it was made for, in lower case. */
  readonly label: string;
  /** Its process has died, and something of it is left. */
  readonly isOrphan: boolean;
}

/** The sandboxes of all processes; nothing is taken away. */
export async function listSandboxes(runtimeDir: string): Promise<readonly ListedSandbox[]> {
  const records = await readRecords(runtimeDir);
  return records.flatMap(({ record }) => {
    if (record === undefined || record.driver === 'stock') return [];
    return [{ id: record.id, driver: record.driver, label: record.label, isOrphan: !isAlive(record.owner) }];
  });
}

/** Processes first: what is cleaned afterwards stays clean. */
async function reapOne(record: SandboxRecord): Promise<void> {
  for (const process of record.processes) killProcess(process);
  killGroups(record.cgroups);
  for (const container of record.containers) await removeOrphanedContainer(container);
  for (const process of record.processes) await waitForEnd(process, 2000);
  await removeGroups(record.cgroups);
  const busy = record.cgroups.filter((folder) => existsSync(folder));
  if (busy.length > 0) throw new Error(`${busy.join(', ')} still has processes`);
  if (record.workspace !== undefined) {
    const { folder, sinceMs, masked } = record.workspace;
    await removeHostActs(folder, { sinceMs, masked: new Set(masked), deep: true });
  }
  await removePlaceholders(record.placeholders);
}

const engineCommand = z.tuple([z.enum(['podman', 'docker']), z.string()], z.string());

/** Fails when the engine does not answer: then the record stays for the next start. */
async function removeOrphanedContainer({ engine, name }: SandboxRecord['containers'][number]): Promise<void> {
  const [kind, executable, ...globalArgs] = engineCommand.parse(JSON.parse(engine));
  const args = kind === 'podman' ? ['rm', '--force', '--ignore', '--time', '0', '--volumes', name] : ['rm', '--force', '--volumes', name];
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: homedir() };
  await promisify(execFile)(executable, [...globalArgs, ...args], { env, timeout: 60_000, cwd: '/' }).catch((error: Error) => {
    if (!/no such container/i.test(error.message)) throw error; // silent-ok: it is gone
  });
}
