import os from 'node:os';
import path from 'node:path';
import type { AgentConfig, ClawholdConfig } from '../contracts/config.ts';
import type { ReapReport } from '../sandbox/reap-orphans.ts';
import type { SandboxDriver, SandboxImage, SandboxLimits } from '../sandbox/sandbox.ts';
import type { Env } from './app.ts';

/** What `agent.yaml` says of sandboxes. */
export type SandboxSettings = NonNullable<AgentConfig['sandbox']>;
type ImageSetting = NonNullable<SandboxSettings['image']>;

/** The drivers of this machine. */
export interface Sandboxes extends AsyncDisposable {
  /** Records of live sandboxes and their sockets. */
  readonly runtimeDir: string;
  readonly drivers: readonly SandboxDriver[];
  /** Those that `auto` chooses from: a driver of images without one is not tried. */
  readonly candidates: readonly SandboxDriver[];
  /** Takes away what dead processes left. */
  reap(): Promise<ReapReport>;
}

/** As root a folder that other users can pass through, because commands never run as root. */
export function runtimeDirOf(env: Env): string {
  const named = env['CLAWHOLD_RUNTIME_DIR'];
  if (named !== undefined && named !== '') return path.resolve(named);
  if (process.getuid?.() === 0) return '/var/lib/clawhold/sandboxes';
  return path.join(env['XDG_STATE_HOME'] ?? path.join(os.homedir(), '.local', 'state'), 'clawhold', 'sandboxes');
}

export interface OpenSandboxesOptions {
  readonly runtimeDir: string;
  readonly config: ClawholdConfig['sandbox'];
  /** Of the agent; it takes the place of the configured one. */
  readonly image: ImageSetting | undefined;
  /** Relative paths of images begin here. */
  readonly root: string;
}

export async function openSandboxes({ runtimeDir, config, image, root }: OpenSandboxesOptions): Promise<Sandboxes> {
  const [{ openBwrap }, { openOci }, { openNone }] = await Promise.all([
    import('../sandbox/bwrap.ts'),
    import('../sandbox/oci.ts'),
    import('../sandbox/none.ts'),
  ]);
  const chosen = image ?? config?.image;
  const oci = openOci({
    runtimeDir,
    ...(config?.engine === undefined ? {} : { engine: config.engine }),
    ...(config?.runtime === undefined ? {} : { runtime: config.runtime }),
    ...(chosen === undefined ? {} : { image: imageOf(chosen, root) }),
  });
  const bwrap = openBwrap({ runtimeDir });
  const none = openNone();
  return {
    runtimeDir,
    drivers: [bwrap, oci, none],
    candidates: chosen === undefined ? [bwrap, none] : [bwrap, oci, none],
    [Symbol.asyncDispose]: async () => void (await Promise.all([bwrap, oci].map(async (driver) => driver[Symbol.asyncDispose]()))),
    reap: async () => await (await import('../sandbox/reap-orphans.ts')).reapOrphans(runtimeDir),
  };
}

/** An agent's image with its files in the tenant's own root; the configured one lies in the home's. */
export function placedImage(image: ImageSetting | undefined, root: string): ImageSetting | undefined {
  if (image === undefined) return undefined;
  const { rootfs, tarball } = image;
  return {
    ...image,
    ...(rootfs === undefined ? {} : { rootfs: path.resolve(root, rootfs) }),
    ...(tarball === undefined ? {} : { tarball: path.resolve(root, tarball) }),
  };
}

function imageOf({ rootfs, tarball, sha256, name }: ImageSetting, root: string): SandboxImage {
  if (rootfs !== undefined) return { kind: 'rootfs', path: path.resolve(root, rootfs) };
  if (tarball !== undefined) return { kind: 'tarball', path: path.resolve(root, tarball), sha256: sha256 ?? '' };
  return { kind: 'name', reference: name ?? '' };
}

const mib = 1024 ** 2;

/** The limits that a human set, in the units of the drivers. */
export function limitsOf(settings: SandboxSettings['limits']): SandboxLimits {
  const { memoryMiB, cpus, pids, openFiles, diskMiB, outputMiB, seconds } = settings ?? {};
  return {
    ...(memoryMiB === undefined ? {} : { memoryBytes: memoryMiB * mib }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(pids === undefined ? {} : { pids }),
    ...(openFiles === undefined ? {} : { openFiles }),
    ...(diskMiB === undefined ? {} : { diskBytes: diskMiB * mib }),
    ...(outputMiB === undefined ? {} : { outputBytes: outputMiB * mib }),
    ...(seconds === undefined ? {} : { wallMs: seconds * 1000 }),
  };
}
