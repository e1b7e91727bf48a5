import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod/mini';
import { reasonOf } from '../contracts/errors.ts';
import { defaultUidRange } from './bwrap.ts';
import { prepareKit } from './bwrap/kit.ts';
import { fifoNames } from './channel/fifos.ts';
import { checkLimits } from './host/check-limits.ts';
import { type EngineName, hardLimits, openEngine } from './oci/engine.ts';
import { buildSeccompProfile } from './oci/seccomp-profile.ts';
import { startOci, type StartOciContext } from './oci/start-oci.ts';
import { openDriver } from './live/open-driver.ts';
import type { PrepareContext } from './live/prepare-sandbox.ts';
import type { Enforcements, SandboxCapabilities } from './probe.ts';
import { SandboxUnavailableError } from './sandbox-error.ts';
import type { SandboxDriver, SandboxImage } from './sandbox.ts';

export interface OciOptions {
  /** Folder of this user for records and runtime files. */
  readonly runtimeDir: string;
  /** Default podman. An engine that was named is never replaced by the other. */
  readonly engine?: EngineName;
  readonly executable?: string;
  /** docker: where its daemon listens. */
  readonly host?: string;
  /** podman: a storage of its own. */
  readonly storage?: { readonly root: string; readonly runRoot: string };
  /** `runc` (default), or `runsc`, gVisor: a kernel in user space between commands and the host's. */
  readonly runtime?: 'runc' | 'runsc';
  /** For the probe's canary, and for specs without one. */
  readonly image?: SandboxImage;
  readonly uidRange?: { readonly first: number; readonly count: number };
  /** Default 30 s. */
  readonly startMs?: number;
  /** Only for tests that show what the hardening holds back, by leaving a part of it away. */
  readonly editArgs?: (args: string[]) => string[];
}

/** A container of an OCI engine, kept warm for one run: docs/sandboxes.md. */
export function openOci(options: OciOptions): SandboxDriver {
  return openDriver({
    name: 'oci',
    capabilities: capabilitiesOf(options),
    runtimeDir: options.runtimeDir,
    uidRange: options.uidRange ?? defaultUidRange,
    openedByPath: fifoNames,
    baseEnv: { HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8' },
    canaryMs: 10_000,
    remedy: `Install ${options.engine ?? 'podman'} and runc, and configure an image that has a shell.`,
    ready: async (prepare) => await getReady(options, prepare),
    start: async (ready, spec, signal) => {
      checkLimits('oci', spec.limits, ready.limits);
      const image = spec.image ?? options.image;
      return await startOci(ready.start, image === undefined ? spec : { ...spec, image }, signal);
    },
    describe: ({ version, limits, notes }) => ({ version, limits, features: [options.runtime ?? 'runc'], notes }),
  });
}

function capabilitiesOf(options: OciOptions): SandboxCapabilities {
  return {
    isolation: options.runtime === 'runsc' ? 'user-kernel' : 'container',
    snapshot: false,
    restore: false,
    egressSocket: true,
    persistentExec: true,
    image: true,
    idleMemoryBytes: (options.runtime === 'runsc' ? 64 : 8) * 1024 * 1024,
  };
}

interface Ready {
  readonly start: StartOciContext;
  readonly limits: Enforcements;
  readonly version: string;
  readonly notes: readonly string[];
}

async function getReady(options: OciOptions, prepare: PrepareContext): Promise<Ready> {
  const folder = path.join(options.runtimeDir, 'oci');
  const name = options.engine ?? 'podman';
  const engine = await openEngine({
    name,
    executable: options.executable ?? name,
    folder,
    ...(options.storage === undefined ? {} : { storage: options.storage }),
    ...(options.host === undefined ? {} : { host: options.host }),
  });
  const about = await describeEngine(engine.name, async (args) => engine.run(args, 20_000));
  const seccompFile = path.join(folder, 'seccomp.json');
  await writeFile(seccompFile, JSON.stringify(await buildSeccompProfile()), { mode: 0o644 });
  return {
    version: `${name} ${about.version}`,
    limits: enforcementsOf(about),
    notes: notesOf(about),
    start: {
      prepare,
      startMs: options.startMs ?? 30_000,
      engine,
      kit: await prepareKit(options.runtimeDir),
      seccompFile,
      runtime: runtimeArgs(name, options.runtime ?? 'runc'),
      hard: await hardLimits(),
      rootless: about.rootless,
      ...(options.editArgs === undefined ? {} : { editArgs: options.editArgs }),
    },
  };
}

/** runc is named: the engine's default may be crun, which refuses machines with both versions of cgroups. */
function runtimeArgs(engine: EngineName, runtime: 'runc' | 'runsc'): string[] {
  if (engine === 'docker') return runtime === 'runc' ? [] : ['--runtime', 'runsc'];
  return runtime === 'runc'
    ? ['--runtime', 'runc']
    : ['--runtime', 'runsc', '--runtime-flag', 'network=none', '--runtime-flag', 'host-fifo=open'];
}

interface EngineFacts {
  readonly version: string;
  readonly rootless: boolean;
  readonly cgroupVersion: string;
  readonly controllers: readonly string[];
}

const podmanInfo = z.looseObject({
  host: z.looseObject({
    cgroupVersion: z.string(),
    cgroupControllers: z.nullish(z.array(z.string())),
    security: z.looseObject({ rootless: z.boolean() }),
  }),
  version: z.looseObject({ Version: z.string() }),
});
const dockerInfo = z.looseObject({
  ServerVersion: z.string(),
  CgroupVersion: z.optional(z.string()),
  MemoryLimit: z.boolean(),
  PidsLimit: z.boolean(),
  CpuCfsQuota: z.boolean(),
});

async function describeEngine(name: EngineName, run: (args: readonly string[]) => Promise<string>): Promise<EngineFacts> {
  try {
    const text = await run(name === 'podman' ? ['info', '--format', 'json'] : ['info', '--format', '{{json .}}']);
    if (name === 'docker') {
      const info = dockerInfo.parse(JSON.parse(text));
      const held = { memory: info.MemoryLimit, pids: info.PidsLimit, cpu: info.CpuCfsQuota };
      const controllers = Object.entries(held)
        .filter(([, isHeld]) => isHeld)
        .map(([controller]) => controller);
      return { version: info.ServerVersion, rootless: false, cgroupVersion: `v${info.CgroupVersion ?? '1'}`, controllers };
    }
    const { host, version } = podmanInfo.parse(JSON.parse(text));
    const { rootless } = host.security;
    const controllers = rootless && host.cgroupVersion === 'v1' ? [] : (host.cgroupControllers ?? []);
    return { version: version.Version, rootless, cgroupVersion: host.cgroupVersion, controllers };
  } catch (error) {
    throw unavailable(
      `${name} does not answer: ${reasonOf(error)}`,
      `Install ${name}${name === 'docker' ? ' and start its daemon' : ' and runc'}`,
    );
  }
}

function enforcementsOf({ controllers, cgroupVersion }: EngineFacts): Enforcements {
  const by = cgroupVersion === 'v1' ? 'cgroup-v1' : 'cgroup-v2';
  return {
    ...(controllers.includes('memory') ? { memoryBytes: { by } } : {}),
    ...(controllers.includes('cpu') ? { cpus: { by } } : {}),
    ...(controllers.includes('pids') ? { pids: { by } } : {}),
    processMemoryBytes: { by: 'rlimit', note: 'Address space of each process by itself.' },
    openFiles: { by: 'rlimit' },
    diskBytes: { by: 'watch', note: 'Looked at every 100 ms, so a command can exceed it by what it writes in that time; one file cannot.' },
    outputBytes: { by: 'channel' },
    wallMs: { by: 'timer' },
  };
}

function notesOf({ rootless, controllers }: EngineFacts): string[] {
  return [
    ...(rootless ? ["Rootless: commands run as your own user behind the engine's user namespace."] : []),
    ...(controllers.includes('memory')
      ? []
      : ['The engine has no memory controller here: no limit on the memory of all processes together.']),
  ];
}

function unavailable(reason: string, remedy: string): SandboxUnavailableError {
  return new SandboxUnavailableError('oci', reason, remedy);
}
