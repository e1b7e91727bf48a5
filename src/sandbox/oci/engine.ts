import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { reasonOf } from '../../contracts/errors.ts';

export type EngineName = 'podman' | 'docker';

export interface EngineOptions {
  readonly name: EngineName;
  readonly executable: string;
  /** Where configuration files for it are written. */
  readonly folder: string;
  /** A storage of its own instead of the user's. podman only. */
  readonly storage?: { readonly root: string; readonly runRoot: string };
  /** docker only: the daemon's socket. */
  readonly host?: string;
}

/** A container engine's command line, with nothing of this process's environment. */
export interface Engine {
  readonly name: EngineName;
  readonly executable: string;
  readonly globalArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Standard output. @throws Error with what it said when it fails. */
  run(args: readonly string[], timeoutMs?: number): Promise<string>;
}

/** Ulimits are always given: an engine's own would raise hard limits, which a root without CAP_SYS_RESOURCE cannot. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  await mkdir(options.folder, { recursive: true });
  await chmod(options.folder, 0o711);
  const config = path.join(options.folder, 'containers.conf');
  const { files, processes } = await hardLimits();
  const text = `[containers]\ndefault_ulimits=["nofile=${Math.min(1024, files)}:${Math.min(4096, files)}","nproc=${Math.min(4096, processes)}:${Math.min(4096, processes)}"]\nnetns="none"\n[engine]\nevents_logger="none"\n`;
  await writeFile(config, text, { mode: 0o600 });
  const uid = process.getuid?.() ?? 0;
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: homedir(),
    ...(options.name === 'podman' ? { CONTAINERS_CONF: config } : {}),
    ...(uid === 0 ? {} : { XDG_RUNTIME_DIR: `/run/user/${uid}` }),
  };
  const globalArgs = [
    ...(options.storage === undefined ? [] : ['--root', options.storage.root, '--runroot', options.storage.runRoot]),
    ...(options.host === undefined ? [] : ['--host', options.host]),
  ];
  return {
    name: options.name,
    executable: options.executable,
    globalArgs,
    env,
    async run(args, timeoutMs = 60_000) {
      try {
        const found = await promisify(execFile)(options.executable, [...globalArgs, ...args], {
          env,
          timeout: timeoutMs,
          maxBuffer: 16_777_216,
          cwd: '/',
        });
        return found.stdout.trim();
      } catch (error) {
        const said = (error as { stderr?: string }).stderr?.trim() ?? '';
        throw new Error(said === '' ? reasonOf(error) : lastLines(said), { cause: error });
      }
    },
  };
}

export async function hardLimits(): Promise<{ readonly files: number; readonly processes: number }> {
  const text = await readFile('/proc/self/limits', 'utf8');
  const hard = (name: string): number => {
    const found = new RegExp(`^${name}\\s+\\S+\\s+(\\S+)`, 'm').exec(text)?.[1] ?? '1024';
    return found === 'unlimited' ? 1_048_576 : Number(found);
  };
  return { files: hard('Max open files'), processes: hard('Max processes') };
}

function lastLines(text: string): string {
  return text.split('\n').slice(-3).join('; ').slice(-600);
}
