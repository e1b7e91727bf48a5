import fs from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { FixRequestError } from '../contracts/errors.ts';
import { isTenantName, parseTenantId, type TenantId } from '../contracts/ids.ts';
import { sha256, type Sha256 } from '../contracts/json.ts';
import { tenantConfig, type TenantConfig } from '../contracts/tenant.ts';
import { writeFileAtomic } from './atomic-file.ts';
import { makeDurableDir, syncDirectory } from './durable-dir.ts';
import { editYamlFile } from './edit-yaml-file.ts';
import type { Home } from './home.ts';
import { orNotWritable } from './not-writable.ts';
import { onceATurn } from './once-a-turn.ts';
import { readServeState } from './serve-file.ts';
import { parseYaml, type YamlEditor } from './yaml-file.ts';

export interface Tenant {
  readonly id: TenantId;
  readonly config: TenantConfig;
  readonly isActive: boolean;
}

/** What changed, for the ledger. */
export interface TenantChange {
  readonly tenant: Tenant;
  /** Relative to the home. */
  readonly file: string;
  readonly before?: Sha256;
  readonly after: Sha256;
}

/**
 * The tenants of an installation: each is a folder with a `tenant.yaml`, which is the only truth. Tenant `default`
 * needs no file.
 *
 * Contract:
 * - a name is checked before any path is made of it, and a link in place of a tenant's folder or file is refused;
 * - a folder without a file is no tenant, and its name cannot be taken before a human looked at it: what lies there
 *   was somebody's;
 * - a removed tenant's folders are out of reach of a new one with the same name.
 */
export interface Tenants {
  /** `default` first, then by name; also those whose file is wrong. */
  list(): TenantId[];
  /** Undefined when there is none. @throws InvalidFileError when its file is wrong: then it starts nothing. */
  get(id: TenantId): Tenant | undefined;
  /** @throws FixRequestError when there is no such tenant; as `get` besides. */
  existing(id: TenantId): Tenant;
  /** @throws FixRequestError when the name is taken. */
  create(id: TenantId, config?: TenantConfig): Promise<TenantChange>;
  /** Changes the file and keeps its comments. @throws FixRequestError when there is no such tenant. */
  edit(id: TenantId, change: (editor: YamlEditor) => void): Promise<TenantChange>;
  /** Takes its folders away; returns where they are now. `isErased`: nowhere. @throws FixRequestError as `existing`, and for `default`. */
  remove(id: TenantId, how: { readonly nowMs: number; readonly isErased: boolean }): readonly string[];
}

const fileName = 'tenant.yaml';

export interface OpenTenantsOptions {
  /** For a server, whose doors ask several times a request: each file is looked at once in a turn of the event loop. */
  readonly isOnceATurn?: boolean;
}

export function openTenants(home: Home, { isOnceATurn = false }: OpenTenantsOptions = {}): Tenants {
  const parsed: ParsedTenants = new Map();
  const look: Tenants['get'] = (id) => lookAt(home, parsed, id);
  const inTurn = onceATurn(look);
  const get = isOnceATurn ? inTurn : look;
  const existing: Tenants['existing'] = (id) => {
    const tenant = get(id);
    if (tenant === undefined) throw unknownTenant(id);
    return tenant;
  };
  return {
    list: () => listTenants(home),
    get,
    existing,
    create: async (id, config) => {
      const change = await create(home, id, config ?? { version: 1 });
      inTurn.forget();
      return change;
    },
    edit: async (id, change) => {
      // Not `existing`: a wrong file must be correctable.
      if (readTenantFile(home, id) === undefined && id !== 'default') throw unknownTenant(id);
      makeDurableDir(home.tenantDir(id));
      const edited = await editYamlFile(fileOf(home, id), tenantConfig, change);
      inTurn.forget();
      const before = edited.before === undefined ? {} : { before: edited.before };
      return { tenant: tenantOf(id, edited.value), file: nameOf(id), after: edited.after, ...before };
    },
    remove: (id, how) => {
      if (readTenantFile(home, id) === undefined && id !== 'default') throw unknownTenant(id);
      parsed.delete(id);
      inTurn.forget();
      return remove(home, id, how);
    },
  };
}

/** Parsed once for each text: doors ask at every request. */
type ParsedTenants = Map<TenantId, { readonly text: string; readonly config: TenantConfig }>;

function lookAt(home: Home, parsed: ParsedTenants, id: TenantId): Tenant | undefined {
  const text = readTenantFile(home, id);
  if (text === undefined) return id === 'default' ? tenantOf(id, { version: 1 }) : undefined;
  const known = parsed.get(id);
  if (known?.text === text) return tenantOf(id, known.config);
  const { value: config } = parseYaml(text, tenantConfig, nameOf(id));
  parsed.set(id, { text, config });
  return tenantOf(id, config);
}

/** The one sentence about a tenant that is not there, from whichever door. */
export function unknownTenant(id: string): FixRequestError {
  const message = `There is no tenant ${JSON.stringify(id.slice(0, 80))}. "clawhold tenants list" shows what there is; make it with "clawhold tenants create".`;
  return new FixRequestError('state.unknown-tenant', message);
}

function tenantOf(id: TenantId, config: TenantConfig): Tenant {
  return { id, config, isActive: config.state !== 'suspended' };
}

function fileOf(home: Home, id: TenantId): string {
  return path.join(home.tenantDir(parseTenantId(id)), fileName);
}

function nameOf(id: TenantId): string {
  return path.join('tenants', id, fileName);
}

function readTenantFile(home: Home, id: TenantId): string | undefined {
  const file = fileOf(home, id);
  for (const place of [path.dirname(file), file]) {
    const stat = fs.lstatSync(place, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isSymbolicLink())
      throw new FixRequestError(
        'state.bad-tenant',
        `${place} is a link to another place, where others may write it, so tenant ${id} is not used. Put the thing itself there.`,
      );
  }
  return fs.readFileSync(file, 'utf8');
}

function listTenants(home: Home): TenantId[] {
  const folder = path.join(home.dir, 'tenants');
  const entries = fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : [];
  const names = entries
    .filter((entry) => entry.isDirectory() && isTenantName(entry.name) && fs.existsSync(path.join(folder, entry.name, fileName)))
    .map((entry) => entry.name);
  return ['default', ...names.filter((name) => name !== 'default').toSorted()] as TenantId[];
}

async function create(home: Home, id: TenantId, config: TenantConfig): Promise<TenantChange> {
  const dir = path.dirname(fileOf(home, id));
  const text = stringify({ ...config, version: 1 });
  const { value } = parseYaml(text, tenantConfig, nameOf(id));
  if (id === 'default' || fs.lstatSync(dir, { throwIfNoEntry: false }) !== undefined) throw taken(home, id);
  refuseHeir(home, id);
  const root = home.tenantRoot(id);
  if (fs.lstatSync(root, { throwIfNoEntry: false }) !== undefined) throw leftOver(id, root);
  orNotWritable(dir, () => {
    makeDurableDir(path.dirname(dir));
    // Not recursive: of two who make the same tenant, one gets the folder.
    try {
      fs.mkdirSync(dir, { mode: 0o700 });
    } catch (error) {
      throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? taken(home, id) : error;
    }
    syncDirectory(path.dirname(dir));
    makeDurableDir(root);
  });
  await writeFileAtomic(path.join(dir, fileName), text, { mode: 0o600 });
  return { tenant: tenantOf(id, value), file: nameOf(id), after: sha256(text) };
}

function taken(home: Home, id: TenantId): FixRequestError {
  if (id === 'default' || fs.existsSync(fileOf(home, id)))
    return new FixRequestError('state.tenant-exists', `Tenant ${id} is there already, and nothing was changed. Choose another name.`);
  return leftOver(id, home.tenantDir(id));
}

/** A server that knew the deleted tenant may still hold files of it open: to it, the new one would be the old one. */
function refuseHeir(home: Home, id: TenantId): void {
  const { isAlive, facts } = readServeState(home.dir);
  if (!isAlive || !fs.existsSync(home.deletedDir)) return;
  const stamps = fs.readdirSync(home.deletedDir).flatMap((name) => {
    const stamp = name.startsWith(`${id}-`) ? /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)-(\d{3}Z)$/.exec(name.slice(id.length + 1)) : null;
    return stamp === null ? [] : [Date.parse(`${stamp[1]}T${stamp[2]}:${stamp[3]}:${stamp[4]}.${stamp[5]}`)];
  });
  if (!stamps.some((deletedMs) => deletedMs >= (facts?.startedMs ?? 0))) return;
  throw new FixRequestError(
    'state.tenant-deleted',
    `Tenant ${id} was deleted while the server was running, which may still hold its files. Restart the server, then make it again.`,
  );
}

function leftOver(id: TenantId, dir: string): FixRequestError {
  return new FixRequestError(
    'state.tenant-left-over',
    `Tenant ${id} was not made, because ${dir} is there without being a tenant's, and what lies in it may be somebody else's. Look through it and move it away, or choose another name.`,
  );
}

function remove(home: Home, id: TenantId, { nowMs, isErased }: { readonly nowMs: number; readonly isErased: boolean }): readonly string[] {
  if (id === 'default')
    throw new FixRequestError(
      'state.default-tenant',
      'Tenant default is the platform itself and cannot be removed. Suspend it, or remove the home.',
    );
  const stamp = new Date(nowMs).toISOString().replaceAll(/[:.]/g, '-');
  const grave = path.join(home.deletedDir, `${id}-${stamp}`);
  makeDurableDir(grave);
  const moved: string[] = [];
  for (const [from, name] of [
    [home.tenantDir(id), 'tenant'],
    [home.tenantRoot(id), 'root'],
  ] as const) {
    if (fs.lstatSync(from, { throwIfNoEntry: false }) === undefined) continue;
    const to = path.join(grave, name);
    fs.renameSync(from, to);
    syncDirectory(path.dirname(from));
    moved.push(to);
  }
  syncDirectory(grave);
  if (!isErased) return moved;
  // The empty grave stays: it says when the name was given up.
  for (const place of moved) fs.rmSync(place, { recursive: true, force: true });
  syncDirectory(grave);
  return [];
}
