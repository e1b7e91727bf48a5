import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { limitTests } from './fixtures/limit-cases.ts';
import { attackTests } from './fixtures/attack-tests.ts';
import { maskTests } from './fixtures/mask-tests.ts';
import { SandboxGoneError, SandboxRequestError, SandboxUnavailableError } from './sandbox-error.ts';
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

const mebibyte = 1024 * 1024;

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

  check('arguments reach the program byte for byte', async (t) => {
    const { run } = await place(t);
    const words = [
      '',
      ' ',
      'a b',
      '$(id)',
      '`id`',
      '$HOME',
      '\\n',
      '\\',
      "'",
      '"',
      'a\nb\n',
      '\n',
      '*',
      '~',
      '-n',
      '--',
      ';',
      '|',
      '&',
      '\t',
      '\r',
      'é',
      '日本',
      '🦀',
    ];
    const all = Array.from({ length: 255 }, (_, code) => String.fromCodePoint(code + 1)).join('');

    const { stdout } = await run(['./attack', 'args', ...words, all, all.repeat(20)]);

    assert.deepEqual(text(stdout).split('\0').slice(0, -1), [...words, all, all.repeat(20)]);
  });

  check('a name of a shell builtin is a program that does not exist', async (t) => {
    const { run } = await place(t);

    for (const name of ['exit', 'eval', 'export', 'trap']) assert.equal((await run([name, '0'])).exitCode, 127, name);
  });

  check('standard output and error are apart, and can be opened again by name', async (t) => {
    const { sh } = await place(t);

    const result = await sh('echo out; echo err >&2; echo out2 >/dev/stdout; echo err2 >/dev/stderr');

    assert.deepEqual([text(result.stdout), text(result.stderr)], ['out\nout2\n', 'err\nerr2\n']);
  });

  check('output is streamed while the command runs', async (t) => {
    const { sh } = await place(t);
    const first = Promise.withResolvers<void>();
    let isDone = false;

    const running = sh('echo first; sleep 1', { onStdout: () => first.resolve() }).finally(() => (isDone = true));
    await first.promise;

    assert.equal(isDone, false);
    await running;
  });

  check('input is given whole or as a stream, and ends; without any it ends at once', async (t) => {
    const { run } = await place(t);
    async function* stream(): AsyncGenerator<Uint8Array> {
      for (const part of ['a', 'b', 'c']) {
        await sleep(20);
        yield Buffer.from(part);
      }
    }
    const long = 'x'.repeat(3 * mebibyte);

    assert.equal(text((await run(['cat'])).stdout), '');
    assert.equal(text((await run(['cat'], { stdin: 'hello' })).stdout), 'hello');
    assert.equal(text((await run(['cat'], { stdin: stream() })).stdout), 'abc');
    assert.equal(text((await run(['wc', '-c'], { stdin: long })).stdout).trim(), String(long.length));
    assert.equal((await run(['true'], { stdin: long })).exitCode, 0);
    assert.equal(text((await run(['cat'])).stdout), '');
  });

  check('exit codes, signals, missing programs and missing folders are told apart', async (t) => {
    const { run, sh } = await place(t);

    assert.equal((await sh('exit 3')).exitCode, 3);
    assert.equal((await sh('kill -TERM $$')).signal, 'SIGTERM');
    assert.equal((await sh('kill -INT $$; exit 0')).signal, 'SIGINT');
    assert.equal((await run(['no-such-program'])).exitCode, 127);
    assert.equal((await run(['/workspace'])).exitCode, 126);
    assert.equal((await run(['true'], { cwd: 'no/such' })).exitCode, 126);
  });

  check('a command has the environment and the folder that were asked for, and nothing of the host', async (t) => {
    const { workspace, run } = await place(t, { env: { A: '1', B: 'two\nlines' } });
    make(path.join(workspace, 'sub/file'), '');

    const env = text((await run(['env', '-0'], { env: { B: '$x', C: '' } })).stdout).split('\0');
    const names = env.map((line) => line.split('=')[0]);

    for (const line of ['A=1', 'B=$x', 'C=', 'HOME=/tmp']) assert.ok(env.includes(line), line);
    assert.deepEqual(
      names.filter(
        (name) =>
          !['A', 'B', 'C', 'HOME', 'LANG', 'TMPDIR', 'PATH', 'PWD', 'OLDPWD', 'SHLVL', '_', 'HOSTNAME', 'TERM', 'container', ''].includes(
            name ?? '',
          ),
      ),
      [],
    );
    assert.equal(text((await run(['pwd'], { cwd: 'sub' })).stdout), '/workspace/sub\n');
  });

  check('a command runs as an unprivileged user, without capabilities, with a filter', async (t) => {
    const { sh } = await place(t);

    const status = text((await sh('id -u; cat /proc/self/status')).stdout);

    assert.notEqual(status.split('\n')[0], '0');
    for (const line of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.match(status, new RegExp(`^${line}:\\s+0+$`, 'm'));
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(status, /^Seccomp:\s+2$/m);
  });

  check('what commands write in the workspace is there for the host, as its owner, and the other way round', async (t) => {
    const { workspace, sh } = await place(t);

    await sh('mkdir d && echo one > d/f && chmod 755 d/f && ln -s f d/l');
    make(path.join(workspace, 'from-host'), 'two');
    const seen = await sh('cat from-host && rm from-host && echo three >> d/f');

    assert.equal(text(seen.stdout), 'two');
    assert.equal(readFileSync(path.join(workspace, 'd/f'), 'utf8'), 'one\nthree\n');
    assert.equal(readlinkSync(path.join(workspace, 'd/l')), 'f');
    assert.equal(lstatSync(path.join(workspace, 'd/f')).uid, options.owner ?? 0);
    assert.equal(existsSync(path.join(workspace, 'from-host')), false);
  });

  check('a time limit and an abort kill the whole tree, whatever it ignores', async (t) => {
    const { sh, run } = await place(t);
    const started = performance.now();

    const late = await sh('trap "" TERM INT HUP; sleep 60 & sleep 60', { wallMs: 200 });
    const aborted = await sh('sleep 60', { signal: AbortSignal.timeout(100) });

    assert.deepEqual([late.end, late.timedOut, late.exitCode], ['wall-limit', true, undefined]);
    assert.equal(aborted.end, 'aborted');
    assert.ok(performance.now() - started < 20_000);
    assert.equal((await run(['true'])).exitCode, 0);
  });

  check('a daemon is dead when its command has ended, and its output is no part of the next', async (t) => {
    const { workspace, run, sandbox } = await place(t);

    const made = await run(['./attack', 'daemon', '/workspace/late']);
    const sizeThen = existsSync(path.join(workspace, 'late')) ? lstatSync(path.join(workspace, 'late')).size : 0;
    const next = await run(['sh', '-c', 'sleep 0.2; for p in /proc/[0-9]*; do cat $p/cmdline; echo; done']);

    assert.equal(made.exitCode, 0);
    assert.doesNotMatch(text(next.stdout), /late|attack/);
    assert.equal(existsSync(path.join(workspace, 'late')) ? lstatSync(path.join(workspace, 'late')).size : 0, sizeThen);
    assert.ok(await sandbox.isFresh());
  });

  check('commands run one after the other', async (t) => {
    const { sh } = await place(t);

    const results = await Promise.all(
      Array.from({ length: 5 }, async (_, i) => sh(`test ! -e busy && touch busy && sleep 0.05 && rm busy && echo ${i}`)),
    );

    assert.deepEqual(
      results.map(({ stdout }) => text(stdout)),
      ['0\n', '1\n', '2\n', '3\n', '4\n'],
    );
  });

  check('a command that kills everything it can see kills itself, and the next one runs', async (t) => {
    const { sh } = await place(t);

    assert.equal((await sh('kill -9 -1; sleep 5')).end, 'killed');
    assert.equal(text((await sh('echo again')).stdout), 'again\n');
  });

  check('output is capped with a mark, apart for each stream, and a command without end is killed', async (t) => {
    const { sh } = await place(t, { limits: { outputBytes: 4 * mebibyte } });

    const capped = await sh('head -c 10000 /dev/zero; echo e >&2', { maxStdoutBytes: 100 });
    const endless = await sh('yes');

    assert.deepEqual([capped.stdoutCutBytes, text(capped.stderr), capped.stderrCutBytes], [9900, 'e\n', 0]);
    assert.match(text(capped.stdout), /\n\[\.\.\. 9900 bytes cut \.\.\.\]\n/);
    assert.equal(endless.end, 'output-limit');
  });

  check('files are copied in and out, links as links, and never through one', async (t) => {
    const { workspace, sandbox, sh } = await place(t);
    const host = mkdtempSync(path.join(tmpdir(), 'host-'));
    t.after(() => rmSync(host, { recursive: true }));
    make(path.join(host, 'in/a'), 'A');
    make(path.join(host, 'secret'), 'S');

    await sandbox.copyIn(path.join(host, 'in'), 'copied');
    await sh(`cat copied/a > copied/b; ln -s ${host} out; ln -s ${host}/secret leak; mkfifo pipe`);
    await sandbox.copyOut('/workspace/copied', path.join(host, 'back'));

    assert.equal(readFileSync(path.join(host, 'back/b'), 'utf8'), 'A');
    await assert.rejects(sandbox.copyOut('out/secret', path.join(host, 'x')), SandboxRequestError);
    await assert.rejects(sandbox.copyIn(path.join(host, 'secret'), 'out/planted'), SandboxRequestError);
    await assert.rejects(sandbox.copyOut('../../etc/passwd', path.join(host, 'x')), SandboxRequestError);
    await sandbox.copyOut('leak', path.join(host, 'link'));
    assert.ok(lstatSync(path.join(host, 'link')).isSymbolicLink());
    assert.ok(existsSync(workspace));
  });

  check('nothing remains after stop but what commands wrote', async (t) => {
    const { workspace, sandbox, sh } = await place(t, { limits: { pids: 20, memoryBytes: 64 * mebibyte } });
    await sh('echo x > made');
    const { id } = sandbox;

    await sandbox.stop();
    await sandbox.stop();

    assert.deepEqual(readdirSync(workspace).toSorted(), ['attack', 'made']);
    assert.deepEqual(
      readdirSync(path.join(options.runtimeDir, 'live')).filter((name) => name === id),
      [],
    );
    assert.equal(findGroups(id).length, 0);
    assert.equal(execFileSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' }).includes(id), false, 'a process of it is alive');
  });

  check('after the end of a sandbox, also in the middle of a command, nothing runs in it', async (t) => {
    const { sandbox, sh } = await place(t);
    const running = sh('sleep 60');
    const failed = assert.rejects(running, SandboxGoneError);
    await sleep(100);

    await sandbox.stop();

    await failed;
    await assert.rejects(sh('true'), SandboxGoneError);
    assert.equal(await sandbox.isFresh(), false);
  });

  check('a sandbox ends with its life', async (t) => {
    const { sh } = await place(t, { limits: { wallMs: 500 } });

    await assert.rejects(sh('sleep 60'), (error) => error instanceof SandboxGoneError && /life of 500 ms/.test(error.message));
  });

  check('what cannot be set up refuses, and says why', async (t) => {
    const workspace = newWorkspace(options.owner, attacks);
    t.after(() => rmSync(workspace, { recursive: true, force: true }));
    const spec: SandboxSpec = { label: 'x', workspace, limits: {}, network: 'none' };

    for (const broken of [
      { ...spec, workspace: '/no/such/folder' },
      { ...spec, limits: { pids: 0 } },
      { ...spec, limits: { ['unknownLimit' as 'pids']: 5 } },
      { ...spec, network: { egressSocketDir: '/no/such/folder' } },
      { ...spec, readOnly: [{ host: '/no/such/folder', inside: '/opt/x' }] },
    ]) {
      await assert.rejects(driver.start(broken), SandboxUnavailableError);
    }
    await assert.rejects(driver.start({ ...spec, masks: [{ path: '../x', mode: 'hidden' }] }), SandboxRequestError);
    await assert.rejects(driver.start(spec, { signal: AbortSignal.abort() }), SandboxUnavailableError);
    assert.deepEqual(readdirSync(workspace), ['attack']);
  });

  attackTests({ check, place, owner: options.owner, attacks });
  maskTests({ check, place, make, owner: options.owner, fresh: () => newWorkspace(options.owner, attacks) });
  limitTests({ check, place, driver });
}

export interface Suite {
  readonly check: (sentence: string, body: (t: TestContext) => Promise<void>) => void;
  readonly place: (t: TestContext, change?: Partial<SandboxSpec>) => Promise<Place>;
}

function findGroups(id: string): string[] {
  const found = execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '4', '-name', `*${id}*`], { encoding: 'utf8' });
  return found.split('\n').filter((line) => line !== '');
}
