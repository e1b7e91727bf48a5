import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { newRunId, newSessionId } from '../contracts/ids.ts';
import { newTaskId } from '../contracts/ids.ts';
import { openDatabase } from '../state/database.ts';
import { openDeliveries } from '../state/deliveries.ts';
import { openQueue } from '../state/open-queue.ts';
import { openRuns } from '../state/runs.ts';
import { claimServe } from '../state/serve-file.ts';
import { isPrivateAddress, listenersOf } from './doctor/listening-sockets.ts';
import { doctorChecks, runDoctor, type CheckResult, type DoctorContext } from './run-doctor.ts';
import { agent, fails, healthy, resultOf, startOf, tenant, withJob, writeInHome, type World } from './fixtures/doctor-world.ts';

/** A server that holds the home, with a listener of this process at `host`. */
async function serve(world: World, host: string): Promise<void> {
  const listener = net.createServer().listen(0, host);
  await once(listener, 'listening');
  world.open.defer(() => void listener.close());
  const claim = claimServe(world.homeDir);
  assert.ok(claim);
  world.open.use(claim);
  const { port } = listener.address() as AddressInfo;
  await claim.announce({ pid: process.pid, url: `http://127.0.0.1:${port}`, startedMs: 1, version: '0' });
}

const oneHook = 'version: 1\nserve: { webhooks: { triggers: { build: { agent: main, secret: HOOK_KEY } } } }\n';

async function putTask(world: World, maxDeliveries: number): Promise<void> {
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(world.homeDir, 'queue.db'), clock: { now: () => Date.now() } });
  const task = {
    tenant_id: 'default',
    swarm_id: 's',
    agent_type: 'agent',
    shard_id: 0,
    task_id: newTaskId(Date.now()),
    payload: {},
    idempotency_key: 'k',
  };
  await queue.put([{ message: task, maxDeliveries }]);
  if (maxDeliveries > 1) return;
  const [lease] = await queue.lease({ worker: 'w', leaseMs: 1000, max: 1 });
  assert.ok(lease);
  await queue.nak(lease, { delayMs: 0, reason: 'it failed' });
}

test('a healthy installation has no failed check and no warning, and looking changes nothing', async () => {
  await using world = await healthy();
  const before = snapshot(world.homeDir);

  const report = await runDoctor(world.context);

  assert.deepEqual(
    report.checks.filter(({ status }) => status === 'warn' || status === 'fail'),
    [],
  );
  assert.equal(report.ok, true);
  assert.deepEqual(snapshot(world.homeDir), before);
});

function snapshot(dir: string): unknown {
  const entries = fs
    .readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/-(wal|shm)$/.test(entry.name));
  return entries.map((entry) => {
    const file = path.join(entry.parentPath, entry.name);
    return [file, fs.readFileSync(file, 'hex'), fs.statSync(file).mtimeMs];
  });
}

interface Sabotage {
  readonly check: string;
  readonly name: string;
  readonly status: 'warn' | 'fail';
  readonly says: RegExp;
  readonly change?: Partial<DoctorContext>;
  readonly harm?: (world: World) => unknown;
}

const ledgerFile = 'tenants/default/ledger/s01/000001.jsonl';
const edit = (world: World, file: string, change: (text: string) => string): void => {
  const place = path.join(world.homeDir, file);
  fs.writeFileSync(place, change(fs.readFileSync(place, 'utf8')));
};

const sabotages: readonly Sabotage[] = [
  { check: 'node-version', name: 'an old Node', status: 'fail', says: /Node 22\.4\.0 is older/, change: { nodeVersion: '22.4.0' } },
  {
    check: 'home-permissions',
    name: 'a home that all may write',
    status: 'fail',
    says: /Others may write/,
    harm: (w) => fs.chmodSync(w.homeDir, 0o777),
  },
  {
    check: 'home-permissions',
    name: 'an agent that all may write',
    status: 'fail',
    says: /agent\.yaml has mode 666/,
    harm: (w) => fs.chmodSync(path.join(w.homeDir, 'tenants/default/agents/main/agent.yaml'), 0o666),
  },
  { check: 'home-permissions', name: 'a home of another user', status: 'fail', says: /belong to another user/, change: { uid: 4711 } },
  {
    check: 'disk-space',
    name: 'a full disk',
    status: 'fail',
    says: /is full: 10 MiB/,
    change: { disk: () => ({ freeBytes: 10 * 1024 ** 2, totalBytes: 1e12, freeFiles: 9e9, totalFiles: 9e9 }) },
  },
  {
    check: 'disk-space',
    name: 'a disk without room for more files',
    status: 'fail',
    says: /only 10 more files/,
    change: { disk: () => ({ freeBytes: 1e12, totalBytes: 1e12, freeFiles: 10, totalFiles: 1000 }) },
  },
  { check: 'clock', name: 'a clock that stepped back', status: 'warn', says: /stepped back/, change: { nowMs: Date.now() - 3_600_000 } },
  { check: 'clock', name: 'a clock that was never set', status: 'fail', says: /before this program was made/, change: { nowMs: 0 } },
  {
    check: 'configuration',
    name: 'an unknown field',
    status: 'fail',
    says: /clawhold\.yaml.*modle/s,
    harm: (w) => edit(w, 'clawhold.yaml', (t) => `${t}modle: x\n`),
  },
  {
    check: 'policies',
    name: 'a policy that does not compile',
    status: 'fail',
    says: /platform\.yaml/,
    harm: (w) => edit(w, 'policies/platform.yaml', (t) => t.replace('allow', 'alow')),
  },
  {
    check: 'agents',
    name: 'an agent that cannot run',
    status: 'fail',
    says: /default\/main: its root is gone/,
    change: { agents: async () => [{ tenant: 'default', agent: 'main', needsSandbox: false, problem: 'its root is gone' }] },
  },
  {
    check: 'projects',
    name: 'a registry that widens',
    status: 'fail',
    says: /acme\/projects\.yaml:3/,
    change: { projects: async () => [{ tenant: 'acme', problem: 'tenants/acme/projects.yaml:3: lane x is not among those' }] },
  },
  {
    check: 'projects',
    name: 'a project whose repo is gone',
    status: 'warn',
    says: /shop of tenant acme is not there/,
    change: { projects: async () => [{ tenant: 'acme', count: 1, missing: ['shop'] }] },
  },
  {
    check: 'projects',
    name: 'a project whose repo is reached through a link',
    status: 'warn',
    says: /shop of tenant acme is reached through a link/,
    change: { projects: async () => [{ tenant: 'acme', count: 1, missing: [], linked: ['shop'] }] },
  },
  {
    check: 'workflows',
    name: 'a workflow without steps',
    status: 'fail',
    says: /workflows\/release\.yaml:2/,
    harm: (w) => writeInHome(w, 'tenants/default/workflows/release.yaml', 'version: 1\nsteps: []\n'),
  },
  {
    check: 'workflows',
    name: 'a step of an agent that is not there',
    status: 'fail',
    says: /step 2 names agent ghost, which tenant default does not have/,
    harm: (w) =>
      writeInHome(
        w,
        'tenants/default/workflows/release.yaml',
        'version: 1\nsteps: [{ agent: main, message: Go. }, { agent: ghost, message: Go. }]\n',
      ),
  },
  {
    check: 'webhooks',
    name: 'a webhook whose secret is not there',
    status: 'fail',
    says: /Webhook build starts nothing: tenant default has no secret HOOK_KEY/,
    harm: (w) => writeInHome(w, 'clawhold.yaml', oneHook),
    change: { hasSecret: async () => false },
  },
  {
    check: 'webhooks',
    name: 'a webhook of an agent that is not there',
    status: 'fail',
    says: /Webhook build starts nothing: tenant default has no agent main/,
    harm: (w) => {
      writeInHome(w, 'clawhold.yaml', oneHook);
      fs.rmSync(path.join(w.homeDir, 'tenants/default/agents/main'), { recursive: true });
    },
  },
  {
    check: 'webhooks',
    name: 'a webhook of a tenant that is not there',
    status: 'fail',
    says: /there is no tenant acme/,
    harm: (w) => writeInHome(w, 'clawhold.yaml', oneHook.replace('agent: main', 'tenant: acme, workflow: release')),
  },
  {
    check: 'schedules',
    name: 'a job whose processes kept dying',
    status: 'warn',
    says: /Job daily of tenant default is paused, because processes kept dying/,
    harm: (w) =>
      withJob(w, (store) => {
        store.pause(tenant, 'daily', '3 processes died');
        store.setDeaths(tenant, 'daily', [{ owner: 'one', ms: 1 }]);
      }),
  },
  {
    check: 'schedules',
    name: 'a job whose last start was refused',
    status: 'warn',
    says: /last start of job daily of tenant default was refused: control\.agent-invalid\.$/,
    harm: (w) => withJob(w, (store, row) => store.update(startOf(store, row), { state: 'refused', reason: 'control.agent-invalid.' })),
  },
  {
    check: 'schedules',
    name: 'a job whose output reached nobody',
    status: 'warn',
    says: /last output of job daily of tenant default reached nobody/,
    harm: (w) =>
      withJob(w, (store, row, database) => {
        const run = newRunId(1);
        store.update(startOf(store, row), { state: 'ended', run, endedMs: 2 });
        const delivery = { id: 'dlv_1', tenant, job: 'daily', slotMs: 1, run, target: { file: 'a.md' }, attempts: 1 } as const;
        openDeliveries(database).add({ ...delivery, state: 'failed', nextMs: 1, reason: '500', createdMs: 1 });
      }),
  },
  {
    check: 'schedules',
    name: 'jobs without a server',
    status: 'warn',
    says: /1 job cannot start, because no server runs/,
    harm: (w) => withJob(w, () => undefined),
  },
  {
    check: 'model',
    name: 'a model without a key',
    status: 'warn',
    says: /no key/,
    change: { modelProblem: async () => 'There is no key.' },
  },
  {
    check: 'database-schema',
    name: 'a database of a newer program',
    status: 'fail',
    says: /newer Clawhold/,
    harm: (w) => withDatabase(w, (database) => database.exec('PRAGMA user_version = 999')),
  },
  {
    check: 'database-schema',
    name: 'a database of an older program',
    status: 'warn',
    says: /older than the program/,
    harm: (w) => withDatabase(w, (database) => database.exec('PRAGMA user_version = 0')),
  },
  {
    check: 'database-integrity',
    name: 'a damaged page',
    status: 'fail',
    says: /state\.db/,
    harm: (w) => {
      const fd = fs.openSync(path.join(w.homeDir, 'state.db'), 'r+');
      fs.writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, 4096);
      fs.closeSync(fd);
    },
  },
  {
    check: 'ledger',
    name: 'a changed record',
    status: 'fail',
    says: /was changed/,
    harm: (w) => edit(w, ledgerFile, (t) => t.replace('"call":"c2"', '"call":"c9"')),
  },
  {
    check: 'ledger',
    name: 'a removed record',
    status: 'fail',
    says: /does not follow/,
    harm: (w) => edit(w, ledgerFile, (t) => t.split('\n').toSpliced(1, 1).join('\n')),
  },
  {
    check: 'ledger',
    name: 'a tail that was cut off',
    status: 'fail',
    says: /cut off/,
    harm: (w) => edit(w, ledgerFile, (t) => `${t.split('\n').slice(0, 2).join('\n')}\n`),
  },
  {
    check: 'signing-key',
    name: 'a key that others may read',
    status: 'fail',
    says: /mode 644/,
    harm: (w) => fs.chmodSync(w.context.keyFile, 0o644),
  },
  {
    check: 'signing-key',
    name: 'a key that others may replace',
    status: 'fail',
    says: /may replace/,
    harm: (w) => fs.chmodSync(path.dirname(w.context.keyFile), 0o777),
  },
  { check: 'signing-key', name: 'a key that is gone', status: 'fail', says: /is gone/, harm: (w) => fs.rmSync(w.context.keyFile) },
  {
    check: 'secret-files',
    name: 'a secret that others may read',
    status: 'fail',
    says: /KEY has mode 644/,
    harm: (w) => fs.chmodSync(path.join(w.context.secretsDir, 'default', 'KEY'), 0o644),
  },
  {
    check: 'file-guard',
    name: 'the weaker mechanism',
    status: 'warn',
    says: /best effort/,
    change: { fileGuard: async () => 'best-effort' },
  },
  {
    check: 'sandbox',
    name: 'no sandbox where an agent needs one',
    status: 'fail',
    says: /main may run commands/,
    change: { probes: async () => [fails] },
  },
  {
    check: 'sandbox',
    name: 'no sandbox where nobody needs one',
    status: 'warn',
    says: /no agent could run commands/,
    change: { probes: async () => [fails], agents: async () => [] },
  },
  {
    check: 'orphan-sandboxes',
    name: 'a sandbox of a dead process',
    status: 'warn',
    says: /bwrap-1/,
    harm: (w) => {
      const folder = path.join(w.context.runtimeDir, 'live', 'bwrap-1');
      fs.mkdirSync(folder, { recursive: true });
      const record = {
        id: 'bwrap-1',
        driver: 'bwrap',
        label: 'x',
        owner: { pid: 1, startTicks: '0', bootId: 'x' },
        processes: [],
        cgroups: [],
        containers: [],
        placeholders: [],
      };
      fs.writeFileSync(path.join(folder, 'record.json'), JSON.stringify(record));
    },
  },
  {
    check: 'server',
    name: 'a server that is not ready',
    status: 'fail',
    says: /503 queue/,
    harm: async (w) => await serve(w, '127.0.0.1'),
    change: { get: async () => ({ status: 503, text: 'queue' }) },
  },
  {
    check: 'server',
    name: 'a server that does not answer',
    status: 'fail',
    says: /does not answer/,
    harm: async (w) => await serve(w, '127.0.0.1'),
    change: { get: async () => await Promise.reject(new Error('timed out')) },
  },
  {
    check: 'server',
    name: 'a server that died',
    status: 'warn',
    says: /gone without having stopped/,
    harm: (w) =>
      fs.writeFileSync(
        path.join(w.homeDir, 'serve.json'),
        JSON.stringify({ pid: 4711, url: 'http://127.0.0.1:1', startedMs: 1, version: '0' }),
      ),
  },
  {
    check: 'listeners',
    name: 'a listener on every address',
    status: 'fail',
    says: /listens beyond/,
    harm: async (w) => await serve(w, '0.0.0.0'),
  },
  {
    check: 'listeners',
    name: 'sockets that nobody can see',
    status: 'warn',
    says: /does not show/,
    harm: async (w) => await serve(w, '127.0.0.1'),
    change: { procDir: '/nowhere' },
  },
  { check: 'queue', name: 'work that nobody takes', status: 'warn', says: /no server runs/, harm: async (w) => await putTask(w, 5) },
  { check: 'queue', name: 'a dead task', status: 'warn', says: /1 task is dead/, harm: async (w) => await putTask(w, 1) },
  {
    check: 'queue',
    name: 'a task that waits too long',
    status: 'warn',
    says: /has waited for 60 minutes/,
    change: { nowMs: Date.now() + 3_600_000 },
    harm: async (w) => {
      await serve(w, '127.0.0.1');
      await putTask(w, 5);
    },
  },
  {
    check: 'stale-runs',
    name: 'a run without a process',
    status: 'warn',
    says: /1 interrupted run/,
    harm: (w) => {
      using database = openDatabase(path.join(w.homeDir, 'state.db'));
      const [id, session] = [newRunId(1), newSessionId(1)];
      const counts = { turns: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, createdMs: 1 };
      openRuns(database).insert({
        id,
        session,
        tenant,
        agent,
        state: 'running',
        door: 'cli',
        model: 'm',
        inputPreview: '',
        reason: '',
        owner: 'gone',
        ...counts,
      });
    },
  },
  {
    check: 'backup',
    name: 'no backup',
    status: 'warn',
    says: /ever made/,
    harm: (w) => fs.rmSync(path.join(w.homeDir, 'last-backup.json')),
  },
  { check: 'backup', name: 'an old backup', status: 'warn', says: /30 days old/, change: { nowMs: Date.now() + 30.5 * 86_400_000 } },
  {
    check: 'backup',
    name: 'a backup that is gone',
    status: 'warn',
    says: /no longer at/,
    harm: (w) => fs.rmSync(path.join(w.root, 'kept'), { recursive: true }),
  },
  {
    check: 'systemd-unit',
    name: 'a unit without hardening',
    status: 'fail',
    says: /lacks hardening: NoNewPrivileges, ProtectSystem/,
    harm: (w) => fs.writeFileSync(w.context.unitFile, '[Service]\nExecStart=/usr/bin/clawhold serve\n'),
  },
];

function withDatabase(world: World, work: (database: DatabaseSync) => void): void {
  const database = new DatabaseSync(path.join(world.homeDir, 'state.db'));
  work(database);
  database.close();
}

for (const { check, name, status, says, change = {}, harm } of sabotages) {
  test(`sabotage: ${name} is found by ${check}, with what to do`, async () => {
    await using world = await healthy();
    await harm?.(world);

    const found = await resultOf(world, check, change);

    assert.equal(found.status, status, found.message);
    assert.match(found.message, says);
    assert.match(found.remedy ?? '', /\S{3}/);
  });
}

test('every check has a sabotage', () => {
  assert.deepEqual(
    doctorChecks().filter((name) => !sabotages.some(({ check }) => check === name)),
    [],
  );
});

test('the port audit passes on a running stack that listens on loopback', async () => {
  await using world = await healthy();
  await serve(world, '127.0.0.1');

  const found = await resultOf(world, 'listeners');

  assert.equal(found.status, 'ok', found.message);
});

test('the unit that is shipped is hardened enough', async () => {
  await using world = await healthy();

  const found = await resultOf(world, 'systemd-unit', {
    unitFile: path.join(import.meta.dirname, '../../deploy/systemd/clawhold.service'),
  });

  assert.equal(found.status, 'ok', found.message);
});

test('listeners are what the kernel says, in both families', async () => {
  const servers = await Promise.all(
    ['127.0.0.1', '::1'].map(async (host) => {
      const server = net.createServer().listen(0, host);
      await once(server, 'listening');
      return server;
    }),
  );

  const found = listenersOf('/proc', process.pid) ?? [];

  for (const server of servers) {
    const { address, port } = server.address() as AddressInfo;
    assert.ok(
      found.some((one) => one.address === address && one.port === port),
      `${address} ${port}`,
    );
    server.close();
  }
});

test('loopback and the overlay are private, everything else is not', () => {
  for (const address of ['127.0.0.1', '127.255.0.9', '::1', '100.64.0.1', '100.127.255.255'])
    assert.equal(isPrivateAddress(address), true, address);
  for (const address of ['0.0.0.0', '::', '10.0.0.1', '100.63.0.1', '100.128.0.1', '192.168.1.1', 'fe80:0:0:0:0:0:0:1'])
    assert.equal(isPrivateAddress(address), false, address);
});

test('a check that throws or hangs has failed, and the others still run', async () => {
  await using world = await healthy();
  const checks = [
    { name: 'throws', run: () => Promise.reject(new Error('broken')) },
    { name: 'hangs', run: async () => await new Promise<CheckResult>(() => {}) },
    { name: 'works', run: () => ({ status: 'ok', message: 'Fine.' }) as const },
  ];

  const report = await runDoctor(world.context, { checks, checkMs: 30 });

  assert.deepEqual(
    report.checks.map(({ status }) => status),
    ['fail', 'fail', 'ok'],
  );
  assert.equal(report.ok, false);
});
