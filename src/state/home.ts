import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import { runDate, type AgentId, type RunId, type TenantId } from '../contracts/ids.ts';
import { syncDirectory } from './durable-dir.ts';

/** Where everything of one installation lies. Only names are computed here; nothing is read. */
export interface Home {
  /** The `.clawhold` folder, absolute. */
  readonly dir: string;
  /** The folder that holds it. */
  readonly root: string;
  readonly databaseFile: string;
  tenantDir(tenant: TenantId): string;
  /** What its relative folders (workspace, roots, programs) begin in: no two tenants share one. */
  tenantRoot(tenant: TenantId): string;
  /** Holds the roots of all tenants but `default`. */
  readonly tenantRootsDir: string;
  /** Folders of deleted tenants, until a human removes them. */
  readonly deletedDir: string;
  agentDir(tenant: TenantId, agent: AgentId): string;
  runDir(tenant: TenantId, run: RunId): string;
  ledgerDir(tenant: TenantId): string;
  objectsDir(tenant: TenantId): string;
  artifactsDir(tenant: TenantId): string;
}

const homeName = '.clawhold';

/**
 * The home that governs `from`: `override` (the value of CLAWHOLD_HOME: a `.clawhold` folder, or one that holds it), else
 * the nearest `.clawhold` upwards. Undefined when there is none.
 *
 * Contract: a folder that is found by walking and that another user owns or may write is refused, because whoever
 * writes it decides what agents may do here. Naming it in CLAWHOLD_HOME says that this is wanted.
 * @throws FixRequestError for a bad override or a home of somebody else.
 */
export function findHome(from: string, override?: string): Home | undefined {
  if (override !== undefined && override !== '') return homeFromOverride(path.resolve(from, override));
  let folder = path.resolve(from);
  for (;;) {
    const dir = path.join(folder, homeName);
    const stat = statDirectory(dir);
    if (stat !== undefined) {
      refuseForeign(dir, stat);
      return homeAt(dir);
    }
    const parent = path.dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

/**
 * Makes `.clawhold` in `root` (mode 0700); an existing one is kept as it is.
 * @throws FixRequestError when the folder cannot be made.
 */
export function createHome(root: string): Home {
  const dir = path.join(path.resolve(root), homeName);
  try {
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    syncDirectory(path.dirname(dir));
  } catch (error) {
    throw new FixRequestError(
      'state.home-not-made',
      `The home ${dir} could not be made: ${(error as Error).message}. Choose a folder that you may write, or make this one writable.`,
      { cause: error },
    );
  }
  return homeAt(dir);
}

/** The layout below a `.clawhold` folder that is known to exist. */
export function homeAt(dir: string): Home {
  const tenantDir = (tenant: TenantId): string => path.join(dir, 'tenants', tenant);
  const root = path.dirname(dir);
  const tenantRootsDir = path.join(root, 'workspaces');
  return {
    dir,
    root,
    databaseFile: path.join(dir, 'state.db'),
    tenantDir,
    tenantRoot: (tenant) => (tenant === 'default' ? root : path.join(tenantRootsDir, tenant)),
    tenantRootsDir,
    deletedDir: path.join(dir, 'deleted'),
    agentDir: (tenant, agent) => path.join(tenantDir(tenant), 'agents', agent),
    runDir: (tenant, run) => path.join(tenantDir(tenant), 'runs', runDate(run), run),
    ledgerDir: (tenant) => path.join(tenantDir(tenant), 'ledger'),
    objectsDir: (tenant) => path.join(tenantDir(tenant), 'objects'),
    artifactsDir: (tenant) => path.join(tenantDir(tenant), 'artifacts'),
  };
}

/** The ledgers of all tenants, also of those whose file is gone. */
export function ledgerDirsOf({ dir }: Pick<Home, 'dir'>): string[] {
  const tenants = path.join(dir, 'tenants');
  if (statDirectory(tenants) === undefined) return [];
  return fs.readdirSync(tenants).map((tenant) => path.join(tenants, tenant, 'ledger'));
}

function homeFromOverride(given: string): Home {
  const inside = path.join(given, homeName);
  if (path.basename(given) !== homeName && statDirectory(inside) !== undefined) return homeAt(inside);
  if (statDirectory(given) !== undefined) return homeAt(given);
  throw new FixRequestError(
    'state.no-home',
    `CLAWHOLD_HOME names ${given}, which is not a folder. Correct it, or unset it to search upwards from the current folder.`,
  );
}

function statDirectory(dir: string): fs.Stats | undefined {
  const stat = fs.statSync(dir, { throwIfNoEntry: false });
  return stat?.isDirectory() === true ? stat : undefined;
}

function refuseForeign(dir: string, stat: fs.Stats): void {
  const me = process.geteuid?.();
  if (me === undefined) return;
  const why =
    stat.uid !== me
      ? `it belongs to user ${stat.uid}, not to you (${me})`
      : (stat.mode & 0o022) !== 0
        ? 'other users may write it'
        : undefined;
  if (why === undefined) return;
  throw new FixRequestError(
    'state.foreign-home',
    `The home ${dir} is not used: ${why}, so somebody else could decide what agents may do here. Run chmod go-w on it, make a home of your own, or set CLAWHOLD_HOME=${dir} to say that you trust it.`,
  );
}
