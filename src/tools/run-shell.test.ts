import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IsolationClass } from '../contracts/isolation.ts';
import type { Probe } from '../sandbox/probe.ts';
import { SandboxGoneError, SandboxUnavailableError } from '../sandbox/sandbox-error.ts';
import type { ExecResult, Sandbox, SandboxDriver, SandboxSpec } from '../sandbox/sandbox.ts';
import type { CommandToRun } from './command-door.ts';
import { openRunShell, type RunShell, type RunShellOptions } from './run-shell.ts';

const nothing = new Uint8Array();
const fine: ExecResult = {
  end: 'exited',
  exitCode: 0,
  timedOut: false,
  outOfMemory: false,
  stdout: nothing,
  stderr: nothing,
  stdoutCutBytes: 0,
  stderrCutBytes: 0,
  removed: [],
};

/** A driver whose sandboxes do what the test says; what happens to them is counted. */
class TestDriver implements SandboxDriver {
  readonly name: string;
  readonly isolation: IsolationClass;
  readonly started: SandboxSpec[] = [];
  stopped = 0;
  commands = 0;
  works = true;
  exec: () => ExecResult | Error = () => fine;

  constructor(name: string, isolation: IsolationClass) {
    this.name = name;
    this.isolation = isolation;
  }

  get capabilities(): SandboxDriver['capabilities'] {
    const isolation = this.isolation;
    return { isolation, snapshot: false, restore: false, egressSocket: true, persistentExec: true, image: false, idleMemoryBytes: 1 };
  }

  async probe(): Promise<Probe> {
    const { name: driver, isolation } = this;
    if (!this.works) return await Promise.resolve({ works: false, driver, isolation, reason: 'it is broken.', remedy: 'Repair it.' });
    const limits = { pids: { by: 'rlimit' as const } };
    return { works: true, driver, isolation, version: '1', limits, features: [], notes: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async start(spec: SandboxSpec): Promise<Sandbox> {
    if (!this.works) throw new SandboxUnavailableError(this.name, 'it is broken', 'Repair it');
    this.started.push(spec);
    const stop = async (): Promise<void> => void (this.stopped += 1);
    const exec = async (): Promise<ExecResult> => {
      this.commands += 1;
      const answer = this.exec();
      if (answer instanceof Error) throw answer;
      return await Promise.resolve(answer);
    };
    const copy = async (): Promise<void> => {};
    const isFresh = async (): Promise<boolean> => Promise.resolve(true);
    return await Promise.resolve({
      id: 's1',
      driver: this.name,
      label: spec.label,
      exec,
      copyIn: copy,
      copyOut: copy,
      isFresh,
      stop,
      [Symbol.asyncDispose]: stop,
    });
  }
}

const command: CommandToRun = { argv: ['ls'], seconds: 1, maxStdoutBytes: 1, maxStderrBytes: 1 };
const run = async (shell: RunShell) => await shell.run(command, new AbortController().signal);

function open(drivers: readonly TestDriver[], options: Partial<RunShellOptions> = {}): { shell: RunShell; reaped: () => number } {
  let reaped = 0;
  const shell = openRunShell({
    drivers: async () => Promise.resolve(drivers),
    wanted: 'auto',
    limits: {},
    spec: { label: 'r', workspace: '/w', network: 'none' },
    reap: async () => Promise.resolve(void (reaped += 1)),
    ...options,
  });
  return { shell, reaped: () => reaped };
}

test('one sandbox is started at the first command, used for all, and stopped at the end', async () => {
  const driver = new TestDriver('a', 'namespace');
  const { shell, reaped } = open([driver]);

  const { facts } = await shell.choose('namespace');
  assert.deepEqual(facts, { available: true, driver: 'a', isolation: 'namespace', network: 'none' });
  assert.deepEqual([driver.started.length, reaped()], [0, 1]);
  assert.equal((await run(shell)).kind, 'ran');
  assert.equal((await run(shell)).kind, 'ran');
  await shell[Symbol.asyncDispose]();

  assert.deepEqual([driver.started.length, driver.commands, driver.stopped], [1, 2, 1]);
  assert.equal((await run(shell)).kind, 'unavailable');
});

test('what nobody chose runs nothing', async () => {
  const driver = new TestDriver('a', 'namespace');
  const { shell } = open([driver]);

  assert.equal((await run(shell)).kind, 'unavailable');
  assert.equal(driver.started.length, 0);
});

test('a minimum that no driver reaches is a refusal with the reason of each, and nothing runs', async () => {
  const weak = new TestDriver('weak', 'namespace');
  const broken = new TestDriver('broken', 'container');
  broken.works = false;
  const { shell } = open([weak, broken]);

  const { facts } = await shell.choose('container');

  assert.ok(!facts.available);
  assert.match(facts.reason, /weak: its class namespace is below container.*broken: it is broken/);
  assert.equal((await run(shell)).kind, 'unavailable');
  assert.equal(weak.started.length, 0);
});

test('a named driver that does not work is refused, not replaced by one that does', async () => {
  const strong = new TestDriver('strong', 'container');
  strong.works = false;
  const { shell } = open([new TestDriver('weak', 'namespace'), strong], { wanted: 'strong' });

  assert.equal((await shell.choose('namespace')).facts.available, false);
});

test('a limit that a human set and nothing can hold refuses; a default that cannot be held is told', async () => {
  const driver = new TestDriver('a', 'namespace');
  const set = open([driver], { limits: { memoryBytes: 5 } });
  const unset = open([driver]);

  const refused = await set.shell.choose('namespace');
  assert.ok(!refused.facts.available);
  assert.match(refused.facts.reason, /memoryBytes/);
  const { notices } = await unset.shell.choose('namespace');
  assert.match(notices.join(), /memoryBytes, cpus/);
});

test('a sandbox that dies is not replaced: its call says so, and nothing runs afterwards', async () => {
  const driver = new TestDriver('a', 'namespace');
  const { shell } = open([driver]);
  await shell.choose('namespace');
  driver.exec = () => new SandboxGoneError('s1', 'it was killed');

  const died = await run(shell);
  driver.exec = () => fine;
  const after = await run(shell);

  assert.equal(died.kind, 'died');
  assert.equal(after.kind, 'unavailable');
  assert.deepEqual([driver.started.length, driver.commands, driver.stopped], [1, 1, 1]);
});

test('any failure around a command ends the sandbox: what it left is not known', async () => {
  const driver = new TestDriver('a', 'namespace');
  const { shell } = open([driver]);
  await shell.choose('namespace');
  driver.exec = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });

  const died = await run(shell);

  assert.ok(died.kind === 'died' && died.reason.includes('ENOSPC'));
});

test('a start that fails is told to its command, and the next one uses the same way out, closed once at the end', async () => {
  const driver = new TestDriver('bwrap', 'namespace');
  const ways = { opened: 0, closed: 0 };
  const egress: RunShellOptions['egress'] = async () => {
    if (ways.opened > ways.closed) throw Object.assign(new Error('EEXIST: file already exists'), { code: 'EEXIST' });
    ways.opened += 1;
    const dispose = async (): Promise<void> => void (ways.closed += 1);
    return await Promise.resolve({ env: {}, placeholders: new Map(), wrap: (argv) => argv, [Symbol.asyncDispose]: dispose });
  };
  const { shell } = open([driver], { egress });
  await shell.choose('namespace');

  driver.works = false;
  const failed = await run(shell);
  driver.works = true;
  const next = await run(shell);
  await shell[Symbol.asyncDispose]();

  assert.equal(failed.kind, 'unavailable');
  assert.equal(next.kind, 'ran');
  assert.deepEqual(ways, { opened: 1, closed: 1 });
});

test('commands that come at once before there is a sandbox share one', async () => {
  const driver = new TestDriver('bwrap', 'namespace');
  const { shell } = open([driver]);
  await shell.choose('namespace');

  const outcomes = await Promise.all([run(shell), run(shell), run(shell)]);
  await shell[Symbol.asyncDispose]();

  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['ran', 'ran', 'ran'],
  );
  assert.deepEqual([driver.started.length, driver.stopped], [1, 1]);
});

test('a resumed run gets a new sandbox of the recorded driver and class, is told once, and gets no weaker one', async () => {
  const facts = { available: true, driver: 'a', isolation: 'container', network: 'none' } as const;
  const same = new TestDriver('a', 'container');
  const weaker = new TestDriver('a', 'namespace');
  const stronger = new TestDriver('b', 'microvm');

  const resumed = open([stronger, same]);
  resumed.shell.adopt(facts, true);
  const told = [await run(resumed.shell), await run(resumed.shell)].map((one) => one.kind === 'ran' && one.isReplaced);
  const refused = open([weaker, stronger]);
  refused.shell.adopt(facts, true);

  assert.deepEqual(told, [true, false]);
  assert.equal(stronger.started.length, 0);
  assert.equal((await run(refused.shell)).kind, 'unavailable');
  assert.equal(weaker.started.length, 0);
});
