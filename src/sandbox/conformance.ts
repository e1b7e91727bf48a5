import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { attackTests } from './fixtures/attack-tests.ts';
import { commandTests } from './fixtures/command-tests.ts';
import { lifeTests } from './fixtures/life-tests.ts';
import { limitTests } from './fixtures/limit-cases.ts';
import { maskTests } from './fixtures/mask-tests.ts';
import type { ExecOptions, ExecResult, Sandbox, SandboxDriver, SandboxLimits, SandboxSpec } from './sandbox.ts';

export interface ConformanceOptions {
  /** In the title of every test. */
  readonly title: string;
  readonly runtimeDir: string;
  readonly open: () => SandboxDriver;
  /** Undefined: the workspace is root's own, and so copied. */
  readonly owner: number | undefined;
  /** Printed instead of the tests. */
  readonly skip?: string | undefined;
}

/** The attack programs, once for a process. */
export function compileAttacks(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'attack-'));
  const program = path.join(folder, 'attack');
  execFileSync('gcc', ['-static', '-O1', '-o', program, path.join(import.meta.dirname, 'fixtures/attack.c')]);
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return program;
}

export interface Place {
  readonly workspace: string;
  readonly sandbox: Sandbox;
  run(argv: readonly string[], options?: ExecOptions): Promise<ExecResult>;
  sh(line: string, options?: ExecOptions): Promise<ExecResult>;
}

export function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

export function newWorkspace(owner: number | undefined, attacks: string): string {
  const workspace = mkdtempSync(path.join(tmpdir(), 'workspace-'));
  chmodSync(workspace, 0o755);
  writeFileSync(path.join(workspace, 'attack'), readFileSync(attacks), { mode: 0o755 });
  if (owner !== undefined) {
    chownSync(path.join(workspace, 'attack'), owner, owner);
    chownSync(workspace, owner, owner);
  }
  return workspace;
}

/**
 * The contract of `Sandbox`, its limits, and attacks on it. Needs root, gcc, and what the driver needs; the attacks run as
 * static programs and plain shell lines, so that any image with a POSIX shell will do.
 */
export function sandboxConformance(options: ConformanceOptions): void {
  if (options.skip !== undefined) {
    test(`${options.title}: the whole suite`, { skip: options.skip });
    return;
  }
  const attacks = compileAttacks();
  const driver = options.open();
  after(async () => await driver[Symbol.asyncDispose]());

  async function place(t: TestContext, change: Partial<SandboxSpec> & { readonly limits?: SandboxLimits } = {}): Promise<Place> {
    const workspace = change.workspace ?? newWorkspace(options.owner, attacks);
    const sandbox = await driver.start({ label: 'conformance', workspace, limits: {}, network: 'none', ...change });
    t.after(async () => {
      await sandbox.stop();
      rmSync(workspace, { recursive: true, force: true });
    });
    const run: Place['run'] = async (argv, given) => sandbox.exec(argv, { wallMs: 20_000, ...given });
    return { workspace, sandbox, run, sh: async (line, given) => run(['sh', '-c', line], given) };
  }
  const check = (sentence: string, body: (t: TestContext) => Promise<void>): void => {
    test(`${options.title}: ${sentence}`, { timeout: 120_000 }, body);
  };
  const make = (file: string, content: string, mode = 0o644): void => {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content, { mode });
    if (options.owner === undefined) return;
    chownSync(path.dirname(file), options.owner, options.owner);
    chownSync(file, options.owner, options.owner);
  };

  const fresh = (): string => newWorkspace(options.owner, attacks);
  const { owner, runtimeDir } = options;
  commandTests({ check, place, make, owner });
  lifeTests({ check, place, make, fresh, driver, runtimeDir });
  attackTests({ check, place, owner, attacks });
  maskTests({ check, place, make, owner, fresh });
  limitTests({ check, place, driver });
}

export interface Suite {
  readonly check: (sentence: string, body: (t: TestContext) => Promise<void>) => void;
  readonly place: (t: TestContext, change?: Partial<SandboxSpec>) => Promise<Place>;
}
