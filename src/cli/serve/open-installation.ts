import path from 'node:path';
import { systemClock } from '../../contracts/clock.ts';
import type { ClawholdConfig } from '../../contracts/config.ts';
import { RetryableError } from '../../contracts/errors.ts';
import { parseTenantId, type TenantId } from '../../contracts/ids.ts';
import type { ServeConfig } from '../../contracts/serve-config.ts';
import { openLedger, type Ledger, type LedgerOptions } from '../../governance/ledger.ts';
import type { RecordListener } from '../../ops/follow-record.ts';
import { openDatabase, type Database } from '../../state/database.ts';
import { ledgerDirsOf, type Home } from '../../state/home.ts';
import { openTenants, type Tenants } from '../../state/tenants.ts';
import type { WorkerContext } from '../../worker/worker-context.ts';
import type { App } from '../app.ts';
import { openSandboxPool, type SandboxesOfProcess } from '../open-sandbox-pool.ts';
import type { SandboxListener } from '../quota-sandboxes.ts';
import { wire } from '../wire.ts';

/** One installation with all its tenants, for a process that serves it. */
export interface Installation extends AsyncDisposable {
  readonly home: Home;
  readonly database: Database;
  readonly tenants: Tenants;
  /** As it was read last. */
  readonly config: () => ClawholdConfig;
  readonly serve: () => ServeConfig;
  /** The installation as that tenant sees it. */
  readonly appOf: (tenant: TenantId) => App;
  /** @throws FixRequestError when there is no such tenant; RetryableError when it is suspended; as its ledger when that cannot be opened. */
  readonly workerOf: (tenant: TenantId) => Promise<WorkerContext>;
  /** The tenant's ledger, once for this process. */
  readonly ledgerOf: (tenant: TenantId) => Promise<Ledger>;
  /** Whoever follows the record; the last one given. */
  readonly follow: (listener: RecordListener) => void;
  /** Whoever is told of the sandboxes of runs; the last one given. */
  readonly followSandboxes: (listener: SandboxListener) => void;
  /** Reads the configuration again, for new runs. @throws FixRequestError when it is wrong: then the old one stays. */
  reload(): Promise<void>;
}

/** What was opened under one reading of the configuration. Runs keep theirs to their end. */
interface Generation {
  readonly config: ClawholdConfig;
  readonly apps: Map<TenantId, App>;
  readonly workers: Map<TenantId, Promise<WorkerContext>>;
}

/** @throws FixRequestError when there is no home, or its configuration is wrong. */
export async function openInstallation(first: App): Promise<Installation> {
  const home = await first.home();
  const stack = new AsyncDisposableStack();
  const database = stack.use(openDatabase(home.databaseFile));
  const followers: Followers = {};
  const ledgerOf = openLedgers(stack, ledgerOptions(first, home, followers));
  const tenants = openTenants(home, { isOnceATurn: true });
  const sandboxPool = stack.use(openSandboxPool({ settings: () => current.config.sandbox?.pool }));
  const appFor = appMaker(first, { database, ledgerOf, sandboxPool, followers });
  let current = await readGeneration(appFor);
  const appOf = (tenant: TenantId): App => {
    const app = current.apps.get(tenant) ?? appFor(tenant);
    current.apps.set(tenant, app);
    return app;
  };
  return {
    home,
    database,
    tenants,
    config: () => current.config,
    serve: () => current.config.serve ?? {},
    appOf,
    ledgerOf,
    follow: (listener) => void (followers.listener = listener),
    followSandboxes: (listener) => void (followers.sandboxes = listener),
    workerOf: async (tenant) => {
      if (!tenants.existing(tenant).isActive) throw suspended(tenant);
      const { workers } = current;
      const opening = workers.get(tenant) ?? openWorker(appOf(tenant), ledgerOf(tenant));
      workers.set(tenant, opening);
      opening.catch(() => workers.delete(tenant));
      return await opening;
    },
    reload: async () => void (current = await readGeneration(appFor)),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
}

interface AppParts {
  readonly database: Database;
  readonly ledgerOf: Installation['ledgerOf'];
  readonly sandboxPool: SandboxesOfProcess;
  readonly followers: Followers;
}

function appMaker({ env, cwd }: App, { database, ledgerOf, sandboxPool, followers }: AppParts): (tenant: TenantId) => App {
  const sandboxes: SandboxListener = (fact) => followers.sandboxes?.(fact);
  return (tenant) => wire({ env, cwd, tenant, sandboxPool, shared: { database, ledger: async () => await ledgerOf(tenant), sandboxes } });
}

/** What cannot be recorded is not begun: it waits until the ledger is put right, and no run of it fails. */
async function openWorker(app: App, ledger: Promise<Ledger>): Promise<WorkerContext> {
  await ledger;
  return await app.worker({ emit: () => {}, surface: 'wait' });
}

interface Followers {
  listener?: RecordListener;
  sandboxes?: SandboxListener;
}

function ledgerOptions({ userDir }: App, home: Home, followers: Followers): (tenant: TenantId) => LedgerOptions {
  return (tenant) => ({
    dir: home.ledgerDir(tenant),
    otherDirs: () => ledgerDirsOf(home),
    keyFile: path.join(userDir, 'keys', 'ledger.ed25519'),
    clock: systemClock,
    onAppend: (event) => followers.listener?.(tenant, event),
  });
}

/** Everything that a run begins with and that is kept between runs, read and checked. */
async function readGeneration(appFor: (tenant: TenantId) => App): Promise<Generation> {
  const tenant = parseTenantId('default');
  const app = appFor(tenant);
  const [config] = await Promise.all([app.config(), app.llm(), app.redactor()]);
  const { compilePolicy } = await import('../../governance/policy-snapshot.ts');
  compilePolicy(await app.policyFiles());
  return { config, apps: new Map([[tenant, app]]), workers: new Map() };
}

function suspended(tenant: TenantId): RetryableError {
  return new RetryableError(
    'cli.tenant-suspended',
    `Tenant ${tenant} is suspended, so nothing of it is worked on. Its tasks wait; "clawhold tenants resume ${tenant}" lets them go on.`,
  );
}

/** One a tenant, closed with the stack. */
function openLedgers(stack: AsyncDisposableStack, optionsOf: (tenant: TenantId) => LedgerOptions): Installation['ledgerOf'] {
  const ledgers = new Map<TenantId, Promise<Ledger>>();
  stack.defer(async () => {
    const opened = await Promise.allSettled(ledgers.values());
    await Promise.all(opened.map(async (one) => (one.status === 'fulfilled' ? await one.value[Symbol.asyncDispose]() : undefined)));
  });
  return (tenant) => {
    const opening = ledgers.get(tenant) ?? openLedger(optionsOf(tenant));
    ledgers.set(tenant, opening);
    // One that could not be opened is tried again.
    opening.catch(() => ledgers.delete(tenant));
    return opening;
  };
}
