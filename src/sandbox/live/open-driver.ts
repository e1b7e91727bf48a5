import { chmod, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf } from '../../contracts/errors.ts';
import { newLocks } from '../host/locks.ts';
import { identifyOwner, openFifoStock, prepareRuntimeDir } from '../host/registry.ts';
import type { Probe, SandboxCapabilities } from '../probe.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../sandbox.ts';
import { newPlaceholderShelf } from '../workspace/placeholders.ts';
import type { PrepareContext } from './prepare-sandbox.ts';

/** What one driver does its own way; everything else is the same for all. */
export interface DriverParts<Ready> {
  readonly name: string;
  readonly capabilities: SandboxCapabilities;
  readonly runtimeDir: string;
  readonly uidRange: PrepareContext['uidRange'];
  readonly openedByPath: PrepareContext['openedByPath'];
  readonly baseEnv: PrepareContext['baseEnv'];
  /** Once for the driver; again when it failed. @throws SandboxUnavailableError */
  readonly ready: (prepare: PrepareContext) => Promise<Ready>;
  /** Takes away what it made ahead. */
  readonly close?: (ready: Ready) => Promise<void>;
  readonly start: (ready: Ready, spec: SandboxSpec, signal: AbortSignal | undefined) => Promise<Sandbox>;
  /** What a human should know of a driver whose canary ran. */
  readonly describe: (ready: Ready) => Pick<Extract<Probe, { works: true }>, 'version' | 'limits' | 'features' | 'notes'>;
  /** What a human could do when it does not work. */
  readonly remedy: string;
  readonly canaryMs: number;
}

/** Opens nothing yet: the first probe or start does. */
export function openDriver<Ready>(parts: DriverParts<Ready>): SandboxDriver {
  const { name, capabilities } = parts;
  let opened: Promise<{ readonly ready: Ready; readonly prepare: PrepareContext }> | undefined;
  const open = async (): ReturnType<typeof prepareOnce<Ready>> => {
    opened ??= prepareOnce(parts);
    opened.catch(() => {
      opened = undefined;
    });
    return await opened;
  };
  const start: SandboxDriver['start'] = async (spec, { signal } = {}) => await parts.start((await open()).ready, spec, signal);
  return {
    name,
    capabilities,
    start,
    async probe() {
      const about = { driver: name, isolation: capabilities.isolation };
      try {
        const { ready } = await open();
        await runCanary(parts, start);
        return { works: true, ...about, ...parts.describe(ready) };
      } catch (error) {
        return { works: false, ...about, reason: reasonOf(error), remedy: parts.remedy };
      }
    },
    async [Symbol.asyncDispose]() {
      const last = await opened?.catch(() => undefined);
      opened = undefined;
      if (last !== undefined) await parts.close?.(last.ready);
      await last?.prepare.fifos.close();
    },
  };
}

async function prepareOnce<Ready>(parts: DriverParts<Ready>): Promise<{ readonly ready: Ready; readonly prepare: PrepareContext }> {
  const { name, runtimeDir, uidRange, openedByPath, baseEnv } = parts;
  if (process.platform !== 'linux')
    throw new SandboxUnavailableError(name, `this is ${process.platform}`, 'Use it on Linux, or choose another driver');
  await prepareRuntimeDir(runtimeDir);
  const locks = newLocks();
  const shared = { alone: (workspace: string) => locks(workspace), placeholders: newPlaceholderShelf() };
  const owner = identifyOwner(name);
  const fifos = openFifoStock(runtimeDir, owner);
  const prepare = { driver: name, runtimeDir, owner, uidRange, openedByPath, baseEnv, fifos, ...shared };
  try {
    return { ready: await parts.ready(prepare), prepare };
  } catch (error) {
    await fifos.close();
    throw error;
  }
}

/** A whole sandbox with one command in it: what works for it works. */
async function runCanary<Ready>({ name, runtimeDir, canaryMs }: DriverParts<Ready>, start: SandboxDriver['start']): Promise<void> {
  const workspace = await mkdtemp(path.join(runtimeDir, 'canary-'));
  try {
    await chmod(workspace, 0o755);
    await using sandbox: Sandbox = await start({ label: 'canary', workspace, limits: {}, network: 'none' });
    const result = await sandbox.exec(['sh', '-c', 'exit 7'], { wallMs: canaryMs });
    if (result.exitCode === 7) return;
    const ended = `a trial command ended with ${result.end} ${result.exitCode ?? ''}, not with its own exit code`;
    throw new SandboxUnavailableError(name, ended, 'Look at docs/sandboxes.md');
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}
