import path from 'node:path';
import { supervisorArgs } from '../channel/supervisor.ts';
import type { Prepared } from '../live/prepare-sandbox.ts';
import { SandboxRequestError } from '../sandbox-error.ts';
import { egressInside, workspaceInside } from '../sandbox.ts';
import type { MaskMount } from '../workspace/plan-masks.ts';
import type { EngineName } from './engine.ts';

export interface RunArgsInput {
  readonly engine: EngineName;
  readonly prepared: Prepared;
  readonly name: string;
  readonly seccompFile: string;
  readonly pidFile: string;
  readonly supervisorFile: string;
  readonly emptyFile: string;
  readonly emptyFolder: string;
  /** From `resolveImage`: the last option and argument. */
  readonly image: readonly string[];
  readonly runtime: readonly string[];
  /** Of this process: an engine cannot be asked for more. */
  readonly hard: { readonly files: number; readonly processes: number };
  /** The user of this process is the container's user, in a rootless engine. */
  readonly rootless: boolean;
}

const inside = '/run/clawhold';
const privateBytes = 268_435_456;
/** Opens the FIFOs, in this order as descriptors 3 to 8, and becomes the supervisor. */
const openAndRun = `cd ${inside}/io && exec 3<stdin 4>stdout 5>stderr 6<requests 7<kills 8>replies && exec sh ${inside}/supervisor "$@"`;

/** The command line that starts one container: hardening is never optional. */
export function runArgs(input: RunArgsInput): string[] {
  const { prepared, engine, image } = input;
  const { limits } = prepared.spec;
  const programs = supervisorArgs({
    ...(limits.openFiles === undefined ? {} : { openFiles: limits.openFiles }),
    ...(limits.diskBytes === undefined ? {} : { fileBytes: limits.diskBytes }),
    ...(limits.processMemoryBytes === undefined ? {} : { processMemoryBytes: limits.processMemoryBytes }),
  });
  return [
    ...words(`run --detach --rm --pull=never --name ${input.name} --label clawhold=${prepared.registration.id}`),
    ...input.runtime,
    ...hardening(input),
    ...limitArgs(input),
    ...mountArgs(input),
    ...(engine === 'podman' ? ['--pidfile', input.pidFile, ...words('--no-hosts --read-only-tmpfs=false')] : []),
    ...words('--entrypoint sh --workdir /'),
    ...image,
    '-c',
    openAndRun,
    'clawhold',
    ...programs,
  ];
}

function words(text: string): string[] {
  return text.split(' ');
}

function hardening({ prepared, seccompFile, rootless }: RunArgsInput): string[] {
  const { uid, gid } = prepared.user;
  return [
    ...words(
      '--network=none --cap-drop=all --security-opt no-new-privileges --read-only --hostname sandbox --ipc=private --log-driver none',
    ),
    ...words(`--user ${uid}:${gid}`),
    ...(rootless ? ['--userns=keep-id'] : []),
    '--security-opt',
    `seccomp=${seccompFile}`,
  ];
}

function limitArgs({ prepared, hard }: RunArgsInput): string[] {
  const { memoryBytes, cpus, pids, openFiles } = prepared.spec.limits;
  const files = Math.min(openFiles ?? 4096, hard.files);
  const processes = Math.min(4096, hard.processes);
  return [
    ...(memoryBytes === undefined ? [] : ['--memory', String(memoryBytes), '--memory-swap', String(memoryBytes)]),
    ...(cpus === undefined ? [] : ['--cpus', String(cpus)]),
    ...(pids === undefined ? ['--pids-limit', '-1'] : ['--pids-limit', String(pids + 3)]),
    ...words(`--ulimit nofile=${files}:${files} --ulimit nproc=${processes}:${processes} --ulimit core=0:0`),
  ];
}

function mountArgs(input: RunArgsInput): string[] {
  const { prepared, engine } = input;
  const { spec, workspace, fifos, mounts } = prepared;
  const size = Math.min(spec.limits.diskBytes ?? privateBytes, privateBytes);
  const scratch = `rw,nosuid,nodev,size=${size},mode=1777`;
  const places: readonly Place[] = [
    { host: path.dirname(fifos.requests), target: `${inside}/io`, options: 'ro' },
    { host: input.supervisorFile, target: `${inside}/supervisor`, options: 'ro' },
    ...(spec.readOnly ?? []).map((mount) => ({ host: mount.host, target: mount.inside, options: 'ro' as const })),
    { host: workspace.folder, target: workspaceInside, options: engine === 'podman' ? 'rw,nosuid,nodev' : 'rw' },
    ...mounts.map((mask) => maskPlace(input, mask)),
    ...(spec.network === 'none' ? [] : [{ host: spec.network.egressSocketDir, target: egressInside, options: 'ro' as const }]),
  ];
  return [
    ...words(`--tmpfs /tmp:${scratch} --tmpfs /var/tmp:${scratch} --shm-size ${size}`),
    ...places.flatMap((place) => mountOf(engine, place)),
  ];
}

interface Place {
  readonly host: string;
  readonly target: string;
  readonly options: 'ro' | 'rw' | 'rw,nosuid,nodev';
}

function maskPlace(input: RunArgsInput, mask: MaskMount): Place {
  const host = path.join(input.prepared.workspace.folder, mask.path);
  const target = path.posix.join(workspaceInside, mask.path);
  if (mask.mode === 'pin') return { host, target, options: 'rw' };
  if (mask.mode === 'read-only' && !mask.missing) return { host, target, options: 'ro' };
  return { host: mask.kind === 'folder' ? input.emptyFolder : input.emptyFile, target, options: 'ro' };
}

/**
 * docker's `--volume` makes a folder on the host, as root, where the source is missing; its `--mount` refuses.
 * @throws SandboxRequestError for a path that the engine would read as something else.
 */
function mountOf(engine: EngineName, { host, target, options }: Place): string[] {
  if (/[:,"\n]/.test(host + target)) {
    throw new SandboxRequestError(
      `${JSON.stringify(host)} was not mounted`,
      'A container engine cannot be given a path with a colon, comma or quotation mark',
      'Rename it',
    );
  }
  if (engine === 'podman') return ['--volume', `${host}:${target}:${options}`];
  return ['--mount', `type=bind,source=${host},target=${target}${options === 'ro' ? ',readonly' : ''}`];
}
