import type { ChildProcess } from 'node:child_process';
import { GiveUpError } from '../../contracts/errors.ts';

export interface RipgrepTask {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly input?: Uint8Array;
  readonly maxOutputBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface RipgrepOutput {
  readonly stdout: Buffer;
  readonly stderr: string;
  /** 0 found, 1 nothing found, 2 error. */
  readonly exit: number;
  /** Why it was ended early. */
  readonly ended?: 'output' | 'time' | 'signal';
}

const maxErrorBytes = 4096;

/** Runs ripgrep with arguments, never through a shell, with an empty environment and bounded output and time. */
export async function runRipgrep(task: RipgrepTask): Promise<RipgrepOutput> {
  const [{ spawn }, { rgPath }] = await Promise.all([import('node:child_process'), import('@vscode/ripgrep')]);
  const child = spawn(rgPath, ['--no-config', ...task.argv], {
    cwd: task.cwd,
    env: {},
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
  });
  return await collect(child, task);
}

async function collect(child: ChildProcess, task: RipgrepTask): Promise<RipgrepOutput> {
  const found: Buffer[] = [];
  let size = 0;
  let stderr = '';
  let ended: RipgrepOutput['ended'];
  const end = (why: NonNullable<RipgrepOutput['ended']>): void => {
    ended ??= why;
    child.kill('SIGKILL');
  };
  child.stdout?.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= task.maxOutputBytes) found.push(chunk);
    else end('output');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    if (stderr.length < maxErrorBytes) stderr += chunk.toString('utf8');
  });
  // silent-ok: ripgrep may stop reading before the end, once it has enough
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(task.input ?? '');
  const timer = setTimeout(() => end('time'), task.timeoutMs);
  const onAbort = (): void => end('signal');
  task.signal.addEventListener('abort', onAbort, { once: true });
  if (task.signal.aborted) onAbort();
  try {
    const exit = await exitOf(child);
    return { stdout: Buffer.concat(found), stderr: stderr.slice(0, maxErrorBytes), exit, ...(ended === undefined ? {} : { ended }) };
  } finally {
    clearTimeout(timer);
    task.signal.removeEventListener('abort', onAbort);
  }
}

async function exitOf(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.once('error', (thrown) => {
      reject(
        new GiveUpError('tools.no-ripgrep', `The search program cannot be started: ${thrown.message}. Run npm ci to install it again.`, {
          cause: thrown,
        }),
      );
    });
    child.once('close', (code) => resolve(code ?? 2));
  });
}
