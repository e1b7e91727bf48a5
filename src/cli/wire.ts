import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '../contracts/clock.ts';
import { FixRequestError } from '../contracts/errors.ts';
import { parseTenantId, type TenantId } from '../contracts/ids.ts';
import { createMemo } from '../contracts/memo.ts';
import type { ModelClient } from '../contracts/model.ts';
import type { Ledger } from '../governance/ledger.ts';
import type { Database } from '../state/database.ts';
import type { Home } from '../state/home.ts';
import type { Objects } from '../state/objects.ts';
import { openReadings, type Readings } from '../state/readings.ts';
import type { RunSandbox } from '../worker/worker-context.ts';
import type { App, Env } from './app.ts';
import type { RunDoors } from './open-run-doors.ts';
import type { SandboxesOfProcess } from './open-sandbox-pool.ts';
import type { SandboxListener } from './quota-sandboxes.ts';

/** The only place that reads the process's environment. */
export function processEnv(): Env {
  return process.env;
}

/** Where the signing key and other things of this user lie. */
function userDirOf(env: Env): string {
  return env['CLAWHOLD_CONFIG_HOME'] ?? path.join(env['XDG_CONFIG_HOME'] ?? path.join(os.homedir(), '.config'), 'clawhold');
}

/** As root, secrets lie in /etc/clawhold, unless a folder for this user's things is named. */
function isSystemWide(env: Env): boolean {
  return process.geteuid?.() === 0 && env['CLAWHOLD_CONFIG_HOME'] === undefined;
}

/** Where this user's keys and secrets lie: what a backup holds only when it is asked for. */
export function privateDirsOf({ env, userDir }: Pick<App, 'env' | 'userDir'>): { readonly keys: string; readonly secrets: string } {
  return { keys: path.join(userDir, 'keys'), secrets: isSystemWide(env) ? '/etc/clawhold' : path.join(userDir, 'secrets') };
}

/** The values in the secrets' files. Where no such folder is, the broker is not even loaded. */
async function keptSecrets(app: App): Promise<readonly { readonly name: string; readonly value: string }[]> {
  if (!fs.existsSync(privateDirsOf(app).secrets)) return [];
  const secrets = await app.secrets();
  const found = await Promise.all((await secrets.list(app.tenant)).map(async ({ name }) => await secrets.get(app.tenant, name)));
  return found.flatMap((secret) => (secret === undefined ? [] : [{ name: secret.name, value: secret.value }]));
}

export interface WireOptions {
  readonly env: Env;
  readonly cwd: string;
  /** Default `default`. That it exists is checked when its home is opened. */
  readonly tenant?: TenantId;
  /** Of a process that lives long: drivers and warm sandboxes for all its runs. Its owner closes it. Default: no warm ones. */
  readonly sandboxPool?: SandboxesOfProcess;
  /** Of a process that works for several tenants: opened once, and closed by whoever opened them. */
  readonly shared?: {
    readonly database: Database;
    readonly ledger: () => Promise<Ledger>;
    readonly sandboxes?: SandboxListener;
  };
}

/** Wires one installation as one tenant sees it; opens nothing yet. */
export function wire({ env, cwd, tenant = parseTenantId('default'), sandboxPool, shared }: WireOptions): App {
  const stack = new AsyncDisposableStack();
  const base = { env, cwd, tenant, userDir: userDirOf(env), notices: [] as string[], readings: openReadings() };
  const files = fileParts(base);
  const app: App = {
    ...base,
    ...files,
    ...storeParts({ stack, shared }, base, files.home),
    redactor: once(async () => {
      const [{ createRedactor }, { secretsOf }] = await Promise.all([import('../governance/redact.ts'), import('../models/open-model.ts')]);
      const held = [...secretsOf(await files.llm(), env), ...(await keptSecrets(app))];
      return createRedactor({ secrets: held, patterns: (await files.config()).redaction?.patterns ?? [] });
    }),
    secrets: once(async () => {
      // Opening the home tells whether there is such a tenant.
      if (tenant !== 'default') await files.home();
      const [{ openSecrets, secretDirs }, { openKeychain }] = await Promise.all([
        import('../broker/secrets.ts'),
        import('../broker/keychain.ts'),
      ]);
      const keychain = openKeychain({ env, platform: process.platform });
      return openSecrets({ env, clock: systemClock, keychain, dirs: secretDirs({ isRoot: isSystemWide(env), userDir: base.userDir }) });
    }),
    broker: once(async () => await (await import('./open-broker.ts')).openBroker(app)),
    ...toolParts(base, files, {
      app: () => app,
      followSandboxes: shared?.sandboxes,
      pool: once(async () => sandboxPool ?? stack.use(await ownPool())),
    }),
    memo: createMemo(),
    ...keptParts(base, files),
    worker: async (options) => await (await import('./open-worker.ts')).openWorker(app, options),
    [Symbol.asyncDispose]: async () => await stack.disposeAsync(),
  };
  return app;
}

/** What a process that works for long opens once: the store that knows what it has seen, and connections to models. */
function keptParts({ env }: Base, { home, llm }: Pick<App, 'home' | 'llm'>): Pick<App, 'objects' | 'model'> {
  const stores = new Map<TenantId, Objects>();
  const models = new Map<string | undefined, ModelClient>();
  return {
    objects: async () => {
      const [{ openObjects }, place] = await Promise.all([import('../state/open-objects.ts'), home()]);
      return (tenant) => {
        const store = stores.get(tenant) ?? openObjects({ driver: 'disk', dir: place.objectsDir(tenant), trustMs: 1000 });
        stores.set(tenant, store);
        return store;
      };
    },
    model: async (ref) => {
      const kept = models.get(ref);
      if (kept !== undefined) return kept;
      const { openModel } = await import('../models/open-model.ts');
      const opened = await openModel({ llm: await llm(), env, homeDir: (await home()).dir, ...(ref === undefined ? {} : { ref }) });
      // A script is a file, which may be another one the next time.
      if (!opened.facts.isScripted) models.set(ref, opened);
      return opened;
    },
  };
}

interface ToolWorld {
  readonly app: () => Pick<App, 'redactor' | 'secrets' | 'broker' | 'ledger' | 'tenant' | 'config' | 'database'>;
  readonly pool: () => Promise<SandboxesOfProcess>;
  readonly followSandboxes: SandboxListener | undefined;
}

async function ownPool(): Promise<SandboxesOfProcess> {
  return (await import('./open-sandbox-pool.ts')).openSandboxPool({ settings: () => ({ size: 0 }) });
}

/** Tools and the sandbox of their commands: only tools that were opened with a sandbox run any. */
function toolParts(
  { env, userDir, tenant }: Base,
  { home, config }: Pick<App, 'home' | 'config'>,
  { app: parts, pool, followSandboxes }: ToolWorld,
): Pick<App, 'openTools' | 'openSandbox' | 'sandboxes' | 'mcpStarter'> {
  const doors = new WeakMap<RunSandbox, RunDoors>();
  const rootMemory = once(async () => (await import('../tools/root-memory.ts')).openRootMemory());
  const rootOf = async (): Promise<string> => (await home()).tenantRoot(tenant);
  const closed = once(async () => protectedDirs(await home(), { env, userDir, tenant }));
  const runtimeDir = once(async () => (await import('./sandboxes.ts')).runtimeDirOf(env));
  const sandboxes: App['sandboxes'] = async (image) => {
    const { openTenantSandboxes } = await import('./quota-sandboxes.ts');
    const place = { env, tenant, image, home: await home(), config: (await config()).sandbox };
    return await openTenantSandboxes({ ...place, database: await parts().database(), pool: await pool(), listener: followSandboxes });
  };
  return {
    sandboxes,
    openSandbox: async (agent, names) => {
      const { openRunDoors } = await import('./open-run-doors.ts');
      const place = { root: await rootOf(), protectedDirs: await closed(), runtimeDir: await runtimeDir() };
      const { sandbox, doors: open } = await openRunDoors(agent, { ...place, names, app: parts(), sandboxes });
      doors.set(sandbox, open);
      return sandbox;
    },
    mcpStarter: async (agent) => {
      const { starter } = await import('./open-run-doors.ts');
      const place = { root: await rootOf(), protectedDirs: [], runtimeDir: await runtimeDir() };
      const names = { run: 'mcp', session: 'mcp', agent: agent.id };
      return await starter(agent, { ...place, names, app: parts(), sandboxes }, () => agent.config.sandbox?.minimum ?? 'namespace');
    },
    openTools: async (agent, sandbox) => {
      const { openAgentTools } = await import('./agent-tools.ts');
      const memory = await rootMemory();
      const open = sandbox === undefined ? {} : (doors.get(sandbox) ?? {});
      const hidden = await parts().redactor();
      const hide = (text: string): string => hidden.text(text);
      return await openAgentTools(agent, { clock: systemClock, protectedDirs: await closed(), memory, hide, ...open });
    },
  };
}

interface Base {
  readonly env: Env;
  readonly cwd: string;
  readonly tenant: TenantId;
  readonly userDir: string;
  readonly notices: string[];
  readonly readings: Readings;
}

function fileParts({ env, cwd, tenant, notices, readings }: Base): Pick<App, 'home' | 'config' | 'llm' | 'policyFiles'> {
  const home = once(async () => {
    const { findHome } = await import('../state/home.ts');
    const found = findHome(cwd, env['CLAWHOLD_HOME']);
    if (found !== undefined && tenant !== 'default') (await import('../state/tenants.ts')).openTenants(found).existing(tenant);
    if (found !== undefined) return found;
    const message = `There is no .clawhold in ${cwd} or above it. Make one with "clawhold init", or set CLAWHOLD_HOME.`;
    throw new FixRequestError('cli.no-home', message);
  });
  return {
    home,
    config: once(async () => await (await import('./home-files.ts')).readClawholdConfig(await home(), notices)),
    llm: once(async () => await (await import('./home-files.ts')).readLlmConfig(await home(), notices)),
    policyFiles: async (sinceMs) => await (await import('./home-files.ts')).readPolicyFiles(await home(), tenant, { readings, sinceMs }),
  };
}

function storeParts(
  { stack, shared }: { readonly stack: AsyncDisposableStack; readonly shared: WireOptions['shared'] },
  { tenant, userDir }: Base,
  home: App['home'],
): Pick<App, 'database' | 'runs' | 'approvals' | 'sessions' | 'ledger'> {
  const database = once(
    async () => shared?.database ?? stack.use((await import('../state/database.ts')).openDatabase((await home()).databaseFile)),
  );
  return {
    database,
    runs: once(async () => (await import('../state/runs.ts')).openRuns(await database(), tenant)),
    approvals: once(async () => (await import('../state/approvals.ts')).openApprovals(await database(), tenant)),
    sessions: once(async () => (await import('../state/sessions.ts')).openSessions(await database(), tenant)),
    ledger: once(async () => {
      if (shared !== undefined) return await shared.ledger();
      const [{ openLedger }, { ledgerDirsOf }] = await Promise.all([import('../governance/ledger.ts'), import('../state/home.ts')]);
      const keyFile = path.join(userDir, 'keys', 'ledger.ed25519');
      const here = await home();
      const otherDirs = (): string[] => ledgerDirsOf(here);
      return stack.use(await openLedger({ dir: here.ledgerDir(tenant), otherDirs, keyFile, clock: systemClock }));
    }),
  };
}

/**
 * Where no agent's root may lie and what no root shows: grants, ledger, keys, secrets, and the compiled code that the
 * next command runs; also when a folder is not there yet. For agents of tenant `default`, whose roots may hold the other
 * tenants', those too; of other tenants no root leaves their own.
 */
function protectedDirs(home: Home, { env, userDir, tenant }: Pick<Base, 'env' | 'userDir' | 'tenant'>): readonly string[] {
  const cache = env['XDG_CACHE_HOME'] ?? path.join(env['HOME'] ?? os.homedir(), '.cache');
  const own = [home.dir, userDir, path.join(cache, 'clawhold'), ...(isSystemWide(env) ? ['/etc/clawhold'] : [])];
  return [...own, ...(tenant === 'default' ? [home.tenantRootsDir] : [])];
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
