import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Dockerd extends AsyncDisposable {
  /** For `openOci({ engine: 'docker', host })`. */
  readonly host: string;
}

const startMs = 30_000;
/** Where its client looks; taken too when no other daemon has it. */
const usualSocket = '/var/run/docker.sock';

/** A daemon of its own in a folder, without a bridge and without firewall rules, ended by its process number. */
export async function startDockerd(folder: string): Promise<Dockerd> {
  mkdirSync(folder, { recursive: true });
  const at = (name: string): string => path.join(folder, name);
  writeFileSync(at('daemon.json'), '{}');
  const host = `unix://${at('d.sock')}`;
  const log = openSync(at('log'), 'a');
  const places = ['--config-file', at('daemon.json'), '--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid')];
  const hosts = ['--host', host, ...(existsSync(usualSocket) ? [] : ['--host', `unix://${usualSocket}`])];
  const daemon = spawn('dockerd', [...places, ...hosts, '--iptables=false', '--ip6tables=false', '--bridge=none'], {
    stdio: ['ignore', log, log],
  });
  const ended = new Promise<void>((resolve) => daemon.once('close', () => resolve()));
  const stop = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    await Promise.race([ended, sleep(15_000, undefined, { ref: false })]);
    daemon.kill('SIGKILL');
    await ended;
    if (hosts.length > 2) rmSync(usualSocket, { force: true });
  };
  const deadline = performance.now() + startMs;
  while (!answers(host)) {
    if (performance.now() > deadline || daemon.exitCode !== null) {
      await stop();
      throw new Error(`dockerd did not start: ${readFileSync(at('log'), 'utf8').slice(-1000)}`);
    }
    await sleep(100);
  }
  return { host, [Symbol.asyncDispose]: stop };
}

function answers(host: string): boolean {
  try {
    execFileSync('docker', ['--host', host, 'info'], { stdio: 'ignore', timeout: 5000 });
    return true;
  } catch {
    return false; // silent-ok: it is asked again
  }
}
