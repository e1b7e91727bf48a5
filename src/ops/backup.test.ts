import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sha256, type Sha256 } from '../contracts/json.ts';
import { newRunId, newSessionId, parseAgentId, parseRunId, parseTenantId, type RunId } from '../contracts/ids.ts';
import type { LedgerEvent } from '../contracts/ledger.ts';
import { openLedger, type Ledger } from '../governance/ledger.ts';
import { readLedger } from '../governance/query-ledger.ts';
import { openDatabase, type Database } from '../state/database.ts';
import { createHome, homeAt, type Home } from '../state/home.ts';
import { openJournal } from '../state/journal.ts';
import { openObjects } from '../state/open-objects.ts';
import { openRuns, type RunRow } from '../state/runs.ts';
import { renderRunFile } from '../state/run-file.ts';
import { claimServe } from '../state/serve-file.ts';
import type { BackupStep } from './backup/fill-archive.ts';
import { manifestName, type BackupManifest } from './backup/manifest.ts';
import { readLastBackup } from './backup/last-backup.ts';
import { createBackup, defaultBackupDir, type CreatedBackup } from './create-backup.ts';
import { listBackups } from './list-backups.ts';
import { restoreBackup } from './restore-backup.ts';
import { verifyBackup } from './verify-backup.ts';

const tenant = parseTenantId('default');
const none = 'a'.repeat(64) as Sha256;
const at = '2026-01-02T03:04:05.678Z';

interface World extends AsyncDisposable {
  readonly root: string;
  readonly home: Home;
  readonly ledger: Ledger;
  readonly database: Database;
  /** A finished run with all that it leaves. */
  finishRun(): Promise<RunId>;
  backup(options?: Partial<Parameters<typeof createBackup>[0]>): Promise<CreatedBackup>;
}

async function openWorld(): Promise<World> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'backup-'));
  const home = createHome(root);
  fs.writeFileSync(path.join(home.dir, 'clawhold.yaml'), 'version: 1\n', { mode: 0o600 });
  fs.mkdirSync(home.agentDir(tenant, parseAgentId('main')), { recursive: true });
  fs.writeFileSync(path.join(home.agentDir(tenant, parseAgentId('main')), 'agent.yaml'), 'version: 1\n');
  const database = openDatabase(home.databaseFile);
  openDatabase(path.join(home.dir, 'queue.db'), { steps: ['CREATE TABLE tasks (id TEXT) STRICT'] })[Symbol.dispose]();
  const keyFile = path.join(root, 'user', 'keys', 'ledger.ed25519');
  const ledger = await openLedger({ dir: home.ledgerDir(tenant), keyFile, clock: { now: () => Date.parse(at) } });
  return {
    root,
    home,
    ledger,
    database,
    finishRun: async () => await finishRun({ home, ledger, database }),
    backup: async (options) =>
      await createBackup({ home, into: path.join(root, 'kept'), nowMs: Date.parse(at), version: '0.1.0', ...options }),
    [Symbol.asyncDispose]: async () => {
      await ledger[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      fs.rmSync(root, { recursive: true, force: true });
    },
  };
}

/** In the order of a real run: object, row, run.start, journal, files, run.end. */
async function finishRun({ home, ledger, database }: Pick<World, 'home' | 'ledger' | 'database'>): Promise<RunId> {
  const id = newRunId(Date.now());
  const agent = parseAgentId('main');
  const row: RunRow = {
    id,
    session: newSessionId(Date.now()),
    tenant,
    agent,
    state: 'running',
    door: 'cli',
    model: 'scripted/demo',
    inputPreview: 'x',
    reason: '',
    createdMs: Date.now(),
    turns: 1,
    toolCalls: 0,
    inputTokens: 1,
    outputTokens: 1,
  };
  const object = await openObjects({ driver: 'disk', dir: home.objectsDir(tenant) }).put(`pinned ${id}`);
  openRuns(database).insert(row);
  const principal = { kind: 'user', id: 'tester' };
  await ledger.append({
    type: 'run.start',
    at,
    run: id,
    session: row.session,
    agent,
    principal,
    door: 'cli',
    inputHash: none,
    pinned: none,
    model: 'm',
  } as LedgerEvent);
  await ledger.append({
    type: 'tool.intent',
    at,
    run: id,
    session: row.session,
    agent,
    call: 'c1',
    tool: 'fs.read',
    request: 'a'.repeat(64),
    target: 'x',
  });
  const dir = home.runDir(tenant, id);
  await using journal = await openJournal(path.join(dir, 'journal.jsonl'));
  void journal;
  fs.appendFileSync(path.join(dir, 'journal.jsonl'), `${JSON.stringify({ object })}\n`);
  fs.writeFileSync(path.join(dir, 'run.json'), renderRunFile({ ...row, state: 'done' }));
  const files = Object.fromEntries(['journal.jsonl', 'run.json'].map((name) => [name, sha256(fs.readFileSync(path.join(dir, name)))]));
  await ledger.append({ type: 'run.end', at, run: id, session: row.session, agent, state: 'done', files, instructions: none });
  openRuns(database).update(id, { state: 'done' });
  return id;
}

function edit(archive: string, change: (manifest: { files: Record<string, unknown>[] } & Record<string, unknown>) => void): void {
  const file = path.join(archive, manifestName);
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8')) as { files: Record<string, unknown>[] } & Record<string, unknown>;
  change(manifest);
  fs.writeFileSync(file, JSON.stringify(manifest));
}

test('what was backed up is restored, byte for byte, with modes, and without locks, owners and server files', async () => {
  await using world = await openWorld();
  const run = await world.finishRun();
  const created = await world.backup();
  const target = path.join(world.root, 'elsewhere', '.clawhold');

  const restored = await restoreBackup({ archive: created.archive, homeDir: target, id: created.id });

  const home = homeAt(target);
  assert.equal(restored.files, created.files);
  using database = openDatabase(home.databaseFile);
  assert.equal(openRuns(database).get(run)?.state, 'done');
  for (const file of [
    'clawhold.yaml',
    'tenants/default/agents/main/agent.yaml',
    path.relative(world.home.dir, path.join(world.home.runDir(tenant, run), 'run.json')),
  ])
    assert.deepEqual(fs.readFileSync(path.join(target, file)), fs.readFileSync(path.join(world.home.dir, file)));
  assert.equal(fs.statSync(path.join(target, 'clawhold.yaml')).mode & 0o777, 0o600);
  assert.equal(fs.statSync(target).mode & 0o777, 0o700);
  const names = fs.readdirSync(target, { recursive: true }).map(String);
  assert.deepEqual(
    names.filter((name) => /lock$|owner\.json|serve\.|backups/.test(name)),
    [],
  );
  assert.equal(readLastBackup(world.home)?.id, created.id);
});

test('a backup under concurrent writes verifies, and what its index says is done has its journal and its object', async () => {
  await using world = await openWorld();
  const over = new AbortController();
  let made = 0;
  const writing = (async () => {
    for (; !over.signal.aborted; made += 1) {
      await world.finishRun();
      await sleep(5);
    }
  })();

  const archives: string[] = [];
  try {
    for (let round = 0; round < 4; round += 1) archives.push((await world.backup()).archive);
  } finally {
    over.abort();
    await writing;
  }

  assert.ok(made > 5);
  for (const [round, archive] of archives.entries()) {
    const report = await verifyBackup(archive);
    assert.deepEqual(report.problems, []);
    const target = path.join(world.root, `restored-${round}`, '.clawhold');
    await restoreBackup({ archive, homeDir: target });
    assert.deepEqual(await unlikeLedger(target), []);
    const home = homeAt(target);
    using database = openDatabase(home.databaseFile);
    for (const { id, state } of openRuns(database).list({ limit: 1000 })) {
      if (state !== 'done') continue;
      const { object } = JSON.parse(fs.readFileSync(path.join(home.runDir(tenant, id), 'journal.jsonl'), 'utf8').trim()) as {
        object: Sha256;
      };
      await openObjects({ driver: 'disk', dir: home.objectsDir(tenant) }).get(object);
    }
  }
});

const later: readonly BackupStep[] = ['runs', 'ledger', 'ended-runs', 'files'];
for (const step of later) {
  test(`a run that begins and ends before the step "${step}" leaves a backup that verifies`, async () => {
    await using world = await openWorld();
    await world.finishRun();
    const { archive } = await world.backup({ beforeStep: async (now) => void (now === step ? await world.finishRun() : undefined) });

    assert.deepEqual((await verifyBackup(archive)).problems, []);
    assert.deepEqual(await unlikeLedger(path.join(archive, 'home')), []);
  });
}

/** Runs whose files are not those that the ledger beside them describes. */
async function unlikeLedger(homeDir: string): Promise<string[]> {
  const home = homeAt(homeDir);
  const found: string[] = [];
  for await (const { event } of readLedger(home.ledgerDir(tenant), { type: 'run.end' })) {
    if (event.type !== 'run.end') continue;
    for (const [name, hash] of Object.entries(event.files)) {
      const file = path.join(home.runDir(tenant, parseRunId(event.run)), name);
      if (!fs.existsSync(file) || sha256(fs.readFileSync(file)) !== hash) found.push(`${event.run}/${name}`);
    }
  }
  return found;
}

test('sabotage: runs that end between the copies of runs and ledger would not be those of the ledger', async () => {
  await using world = await openWorld();
  const { archive } = await world.backup({ beforeStep: async (now) => void (now === 'ledger' ? await world.finishRun() : undefined) });
  const home = homeAt(path.join(archive, 'home'));

  fs.rmSync(path.join(home.tenantDir(tenant), 'runs'), { recursive: true });

  assert.notDeepEqual(await unlikeLedger(home.dir), []);
});

test('a home in use waits for the backup only for a moment: writes go on during each of its steps', async () => {
  await using world = await openWorld();
  const steps: BackupStep[] = [];

  await world.backup({
    beforeStep: (step) => {
      steps.push(step);
      world.database.run('INSERT INTO sessions VALUES (?, ?, ?, ?, ?)', `ses_${step}`, 'default', 'main', 1, null);
    },
  });

  assert.deepEqual(steps, ['databases', 'runs', 'ledger', 'ended-runs', 'files', 'hashes']);
});

const damages: readonly (readonly [string, (archive: string) => void, RegExp])[] = [
  ['a changed byte', (a) => fs.appendFileSync(path.join(a, 'home/clawhold.yaml'), '#'), /clawhold\.yaml is damaged/],
  ['a missing file', (a) => fs.rmSync(path.join(a, 'home/clawhold.yaml')), /clawhold\.yaml is missing/],
  [
    'a file that was put there',
    (a) => fs.writeFileSync(path.join(a, 'home/evil.yaml'), 'x'),
    /evil\.yaml is in the archive, but not in its manifest/,
  ],
  [
    'a link in the place of a file',
    (a) => {
      fs.rmSync(path.join(a, 'home/clawhold.yaml'));
      fs.symlinkSync('/etc/hostname', path.join(a, 'home/clawhold.yaml'));
    },
    /clawhold\.yaml is no file but a link/,
  ],
  [
    'a link in the place of a folder',
    (a) => {
      fs.renameSync(path.join(a, 'home/tenants'), path.join(a, '..', 'tenants'));
      fs.symlinkSync('../../tenants', path.join(a, 'home/tenants'));
    },
    /tenants is in the archive, but not in its manifest/,
  ],
  [
    'a damaged database with the right hash',
    (a) => {
      const file = path.join(a, 'home/state.db');
      const fd = fs.openSync(file, 'r+');
      fs.writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, 4096);
      fs.closeSync(fd);
      edit(a, (manifest) =>
        Object.assign(manifest.files.find((one) => one['path'] === 'home/state.db') ?? {}, { sha256: sha256(fs.readFileSync(file)) }),
      );
    },
    /database state\.db is damaged/,
  ],
  [
    'a changed ledger with the right hash',
    (a) => {
      const name = 'home/tenants/default/ledger/s01/000001.jsonl';
      const file = path.join(a, name);
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"call":"c1"', '"call":"c9"'));
      edit(a, (manifest) =>
        Object.assign(manifest.files.find((one) => one['path'] === name) ?? {}, { sha256: sha256(fs.readFileSync(file)) }),
      );
    },
    /ledger of default does not verify: .*record \d+ was changed/,
  ],
  [
    'a ledger whose end was cut off, with the right hash',
    (a) => {
      for (const name of ['home/tenants/default/ledger/s01/000001.jsonl', 'home/tenants/default/ledger/checkpoints.jsonl']) {
        const file = path.join(a, name);
        const text = fs.readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, 1).join('\n');
        fs.writeFileSync(file, `${text}\n`);
        const facts = { sha256: sha256(fs.readFileSync(file)), bytes: fs.statSync(file).size };
        edit(a, (manifest) => Object.assign(manifest.files.find((one) => one['path'] === name) ?? {}, facts));
      }
    },
    /ledger of default does not verify/,
  ],
];
for (const [name, damage, expected] of damages) {
  test(`sabotage: ${name} is found, and the archive is not restored`, async () => {
    await using world = await openWorld();
    await world.finishRun();
    await world.ledger.checkpoint();
    await world.finishRun();
    await world.ledger.checkpoint();
    const { archive } = await world.backup();
    damage(archive);
    const target = path.join(world.root, 'target', '.clawhold');

    const report = await verifyBackup(archive);

    assert.equal(report.ok, false);
    assert.match(report.problems.join('\n'), expected);
    await assert.rejects(restoreBackup({ archive, homeDir: target }), { code: 'ops.bad-archive' });
    assert.equal(fs.existsSync(target), false);
    assert.deepEqual(fs.existsSync(path.dirname(target)) ? fs.readdirSync(path.dirname(target)) : [], []);
  });
}

for (const evil of [
  'home/../../evil',
  '/etc/evil',
  'home//evil',
  'home/./evil',
  'home\\..\\evil',
  'elsewhere/evil',
  'home',
  'home/a\u0000b',
  'home/../manifest.json',
]) {
  test(`a manifest that names ${JSON.stringify(evil)} is refused before anything is written`, async () => {
    await using world = await openWorld();
    const { archive } = await world.backup();
    fs.writeFileSync(path.join(world.root, 'kept', 'evil'), 'x');
    edit(archive, (manifest) => void manifest.files.push({ path: evil, bytes: 1, sha256: sha256('x'), mode: 0o600 }));

    await assert.rejects(restoreBackup({ archive, homeDir: path.join(world.root, 'target', '.clawhold') }), { code: 'ops.bad-archive' });
    assert.equal(fs.existsSync(path.join(world.root, 'target')), false);
  });
}

for (const own of ['serve.json', 'serve.lock', 'state.db-wal', 'queue.db-journal', 'backups/x', 'other.db']) {
  test(`a manifest that names home/${own}, which is of a process and not of a home, is refused`, async () => {
    await using world = await openWorld();
    const { archive } = await world.backup();
    fs.mkdirSync(path.dirname(path.join(archive, 'home', own)), { recursive: true });
    fs.writeFileSync(path.join(archive, 'home', own), 'x');
    edit(archive, (manifest) => void manifest.files.push({ path: `home/${own}`, bytes: 1, sha256: sha256('x'), mode: 0o600 }));

    await assert.rejects(restoreBackup({ archive, homeDir: path.join(world.root, 'target', '.clawhold') }), { code: 'ops.bad-archive' });
    assert.equal(fs.existsSync(path.join(world.root, 'target')), false);
  });
}

test('a file of terabytes in the place of a small one is damage that is seen by its size, and no hash of it is waited for', async () => {
  await using world = await openWorld();
  const { archive } = await world.backup();
  fs.truncateSync(path.join(archive, 'home/clawhold.yaml'), 2 ** 40);

  const report = await verifyBackup(archive);

  assert.match(report.problems.join('\n'), /clawhold\.yaml is damaged/);
});

test('a manifest that is larger than any is refused before it is read', async () => {
  await using world = await openWorld();
  const { archive } = await world.backup();
  fs.truncateSync(path.join(archive, manifestName), 2 ** 40);

  await assert.rejects(verifyBackup(archive), { code: 'ops.bad-archive' });
  assert.match(listBackups(path.dirname(archive))[0]?.problem ?? '', /which no backup needs/);
});

test('names that an archive cannot hold are told of, and the rest of the backup is good', async () => {
  await using world = await openWorld();
  const memory = path.join(world.home.agentDir(tenant, parseAgentId('main')), 'memory');
  const notText = (...end: readonly string[]): Buffer =>
    Buffer.concat([Buffer.from(`${memory}/`), Buffer.from([0xff]), Buffer.from(end.join(''))]);
  fs.mkdirSync(notText('dir'), { recursive: true });
  fs.writeFileSync(notText('dir/lost.md'), 'x');
  for (const name of ['a\\b.md', 'line\nbreak.md', 'fine.md']) fs.writeFileSync(path.join(memory, name), 'x');
  fs.writeFileSync(notText('.md'), 'x');

  const { archive, skipped } = await world.backup();

  assert.equal((await verifyBackup(archive)).ok, true);
  assert.deepEqual(
    skipped.map((name) => path.basename(name)),
    ['a\\b.md', 'line\nbreak.md', '\uFFFD.md', '\uFFFDdir'],
  );
  assert.equal(fs.existsSync(path.join(archive, 'home/tenants/default/agents/main/memory/fine.md')), true);
});

test('unfinished files of others in the folder for backups are let be', async () => {
  await using world = await openWorld();
  const kept = path.join(world.root, 'kept');
  fs.mkdirSync(kept);
  fs.writeFileSync(path.join(kept, 'film.mkv.partial'), 'x');

  await world.backup();

  assert.equal(fs.existsSync(path.join(kept, 'film.mkv.partial')), true);
});

test('an archive that was exchanged as a whole has another id', async () => {
  await using world = await openWorld();
  const { archive, id } = await world.backup();
  fs.appendFileSync(path.join(archive, 'home/clawhold.yaml'), '# looser\n');
  const facts = {
    sha256: sha256(fs.readFileSync(path.join(archive, 'home/clawhold.yaml'))),
    bytes: fs.statSync(path.join(archive, 'home/clawhold.yaml')).size,
  };
  edit(archive, (manifest) => Object.assign(manifest.files.find((one) => one['path'] === 'home/clawhold.yaml') ?? {}, facts));

  assert.equal((await verifyBackup(archive)).ok, true);
  assert.equal((await verifyBackup(archive, { id })).ok, false);
});

test('a home with anything in it, or one that is served, is never restored over', async () => {
  await using world = await openWorld();
  const { archive } = await world.backup();
  const before = fs.readdirSync(world.home.dir);
  await using served = claimServe(world.home.dir);

  await assert.rejects(restoreBackup({ archive, homeDir: world.home.dir }), { code: 'ops.home-served' });
  await served?.[Symbol.asyncDispose]();
  await assert.rejects(restoreBackup({ archive, homeDir: world.home.dir }), { code: 'ops.home-not-empty' });
  fs.symlinkSync(path.join(world.root, 'kept'), path.join(world.root, 'linked'));
  await assert.rejects(restoreBackup({ archive, homeDir: path.join(world.root, 'linked') }), { code: 'ops.home-not-empty' });
  assert.deepEqual(
    fs.readdirSync(world.home.dir).filter((name) => name !== 'serve.lock'),
    before.filter((name) => name !== 'serve.lock'),
  );
});

test('signing key and secrets are in a backup only when asked for, and replace nothing when restored', async () => {
  await using world = await openWorld();
  const keys = path.join(world.root, 'user', 'keys');
  const without = await world.backup();
  const withSecrets = await world.backup({ privateDirs: { keys } });
  const key = fs.readFileSync(path.join(keys, 'ledger.ed25519'), 'utf8');
  const textOf = (archive: string): string =>
    fs
      .readdirSync(archive, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name), 'latin1'))
      .join('');
  const elsewhere = path.join(world.root, 'other-user', 'keys');

  await restoreBackup({ archive: withSecrets.archive, homeDir: path.join(world.root, 'r1', '.clawhold') });
  const restored = await restoreBackup({
    archive: withSecrets.archive,
    homeDir: path.join(world.root, 'r2', '.clawhold'),
    privateDirs: { keys: elsewhere },
  });
  fs.writeFileSync(path.join(elsewhere, 'ledger.ed25519'), 'another key');

  assert.equal(textOf(without.archive).includes(key.split('\n')[1] ?? ''), false);
  assert.equal(textOf(withSecrets.archive).includes(key), true);
  assert.deepEqual([without.hasSecrets, withSecrets.hasSecrets], [false, true]);
  assert.deepEqual(restored.privateFiles, [path.join(elsewhere, 'ledger.ed25519')]);
  await assert.rejects(
    restoreBackup({ archive: withSecrets.archive, homeDir: path.join(world.root, 'r3', '.clawhold'), privateDirs: { keys: elsewhere } }),
    { code: 'ops.private-exists' },
  );
  assert.equal(fs.readFileSync(path.join(elsewhere, 'ledger.ed25519'), 'utf8'), 'another key');
  assert.equal(fs.existsSync(path.join(world.root, 'r3', '.clawhold')), false);
});

test('a backup that fails leaves nothing under its name, and the next one clears what a crash left', async () => {
  await using world = await openWorld();
  const kept = path.join(world.root, 'kept');
  fs.mkdirSync(path.join(kept, '.clawhold-20200101T000000Z.partial', 'home'), { recursive: true });

  await assert.rejects(
    world.backup({
      beforeStep: (step) => {
        if (step === 'hashes') throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
    }),
    { code: 'state.not-writable' },
  );

  assert.deepEqual(
    fs.readdirSync(kept).filter((name) => name !== '.lock'),
    [],
  );
  assert.deepEqual(listBackups(kept), []);
});

test('links in a home are told of and not followed', async () => {
  await using world = await openWorld();
  fs.symlinkSync('/etc/passwd', path.join(world.home.dir, 'tenants', 'default', 'link'));

  const { archive, skipped } = await world.backup();

  assert.deepEqual(skipped, ['tenants/default/link']);
  assert.equal(fs.existsSync(path.join(archive, 'home/tenants/default/link')), false);
});

test('backups in the home are not part of backups, and no other place in it may hold them', async () => {
  await using world = await openWorld();
  const first = await world.backup({ into: defaultBackupDir(world.home) });
  const second = await world.backup({ into: defaultBackupDir(world.home), nowMs: Date.parse(at) + 1000 });

  assert.equal(second.files, first.files);
  assert.deepEqual(
    listBackups(defaultBackupDir(world.home)).map(({ archive }) => archive),
    [second.archive, first.archive],
  );
  await assert.rejects(world.backup({ into: world.home.tenantDir(tenant) }), { code: 'ops.bad-backup-place' });
});

test('a manifest says what it holds', async () => {
  await using world = await openWorld();
  const { archive } = await world.backup();

  const manifest = JSON.parse(fs.readFileSync(path.join(archive, manifestName), 'utf8')) as BackupManifest;

  assert.deepEqual(
    manifest.databases.map(({ file }) => file),
    ['queue.db', 'state.db'],
  );
  assert.deepEqual([manifest.tenants, manifest.version, manifest.from], [['default'], 1, world.home.dir]);
  assert.ok(manifest.files.every((file) => fs.statSync(path.join(archive, file.path)).size === file.bytes));
});

test('a backup and a restore for which there is no room are refused before anything is copied, with what is needed and what there is', async () => {
  await using world = await openWorld();
  await world.finishRun();
  const kept = path.join(world.root, 'kept');
  const { archive } = await world.backup();
  const before = fs.readdirSync(kept).toSorted();
  const homeDir = path.join(world.root, 'new', '.clawhold');
  const steps: string[] = [];
  const beforeStep = (step: BackupStep): void => void steps.push(step);

  const create = world.backup({ freeBytes: () => 10 * 2 ** 20, beforeStep });
  await assert.rejects(create, {
    code: 'ops.no-room',
    message: /^The backup needs about 1\d MiB in .*kept, and 10 MiB are free there, so nothing was copied\./,
  });
  await assert.rejects(restoreBackup({ archive, homeDir, freeBytes: () => 0 }), { code: 'ops.no-room' });

  assert.deepEqual([steps, fs.readdirSync(kept).toSorted(), fs.existsSync(homeDir)], [[], before, false]);
});

test('sabotage: the room that is asked for grows with the home, and where there is as much it is made', async () => {
  await using world = await openWorld();
  fs.writeFileSync(path.join(world.home.dir, 'tenants/default/notes.md'), Buffer.alloc(40 * 2 ** 20, 'x'));

  await assert.rejects(world.backup({ freeBytes: () => 40 * 2 ** 20 }), { code: 'ops.no-room' });

  assert.ok((await world.backup({ freeBytes: () => 70 * 2 ** 20 })).bytes > 40 * 2 ** 20);
});
