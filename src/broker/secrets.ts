import fs from 'node:fs';
import path from 'node:path';
import type { Clock } from '../contracts/clock.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { TenantId } from '../contracts/ids.ts';
import { maskSecret } from '../governance/mask-secret.ts';
import { writeFileAtomic } from '../state/atomic-file.ts';
import { syncDirectory } from '../state/durable-dir.ts';
import type { Keychain } from './keychain.ts';
import { checkSecretFolder, makeSecretFolder, readSecretFile } from './secrets/secret-folder.ts';
import { secretMeta, type Placement, type SecretMeta } from './secrets/secret-meta.ts';
import { parseSecretValue } from './secrets/secret-value.ts';

export { readSecretValue } from './secrets/secret-value.ts';
export type { Placement, SecretMeta };

/** The value and where it may go. Only the broker holds one; it is never printed, logged or sent into a sandbox. */
export interface Secret {
  readonly name: string;
  readonly value: string;
  /** `host:port`, lower case. */
  readonly hosts: readonly string[];
  readonly place: readonly Placement[];
}

/** What a person may see of a secret. */
export interface SecretView {
  readonly name: string;
  /** `env NAME`, `keychain`, or the file's path; undefined when only its metadata is there. */
  readonly source: string | undefined;
  /** Masked, e.g. `ghp_…abcd`. */
  readonly fingerprint: string | undefined;
  readonly hosts: readonly string[];
  readonly place: readonly Placement[];
  readonly created?: string;
  readonly rotated?: string;
}

export interface SecretsOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Folders of a tenant, the first of them is written. Default: secretDirs of this user. */
  readonly dirs: (tenant: TenantId) => readonly string[];
  /** Absent: none is asked. */
  readonly keychain?: Keychain;
}

/** Where a value was looked for, in order, and whether it was there. */
export interface SecretLookup {
  readonly source: string;
  readonly found: boolean;
  /** Why this place was left out. */
  readonly note?: string;
}

/**
 * The secrets of an installation.
 *
 * Contract: the first place that holds a value wins: environment (tenant `default` only), keychain, files; a tenant
 * never sees a value of another; a secret without hosts is never sent anywhere; errors never hold a value.
 */
export interface Secrets {
  get(tenant: TenantId, name: string): Promise<Secret | undefined>;
  /** Names of all secrets that have a value or metadata in a file. */
  list(tenant: TenantId): Promise<readonly SecretView[]>;
  which(tenant: TenantId, name: string): Promise<readonly SecretLookup[]>;
  /** Writes value and metadata. `value` absent: only the metadata, for a value from environment or keychain. */
  set(
    tenant: TenantId,
    name: string,
    secret: { readonly value?: string; readonly hosts: readonly string[]; readonly place?: readonly Placement[] },
  ): Promise<SecretView>;
  /** A new value under the same metadata. @throws FixRequestError when no file holds the secret. */
  rotate(tenant: TenantId, name: string, value: string): Promise<SecretView>;
  /** Where values of the tenant would lie, whether or not they do. */
  folders(tenant: TenantId): readonly string[];
  /** False when there was nothing. */
  remove(tenant: TenantId, name: string): Promise<boolean>;
}

/** The folders of decision 7: as root beneath /etc/clawhold, otherwise beneath the user's configuration folder. */
export function secretDirs(place: { readonly isRoot: boolean; readonly userDir: string; readonly etc?: string }): SecretsOptions['dirs'] {
  const etc = place.etc ?? '/etc/clawhold';
  return (tenant) => {
    if (!place.isRoot) return [path.join(place.userDir, 'secrets', tenant)];
    const own = path.join(etc, 'tenants', tenant, 'secrets');
    return tenant === 'default' ? [own, path.join(etc, 'secrets')] : [own];
  };
}

const nameShape = /^[A-Z][A-Z0-9_]{0,62}$/;
const defaultPlace: readonly Placement[] = [{ in: 'header', name: 'authorization' }];

export function openSecrets(options: SecretsOptions): Secrets {
  const view = async (tenant: TenantId, name: string): Promise<SecretView> => await viewOf(options, tenant, name);
  return {
    get: async (tenant, name) => {
      checkName(name);
      const found = await findValue(options, tenant, name);
      if (found === undefined) return undefined;
      const meta = readMeta(options, tenant, name);
      return { name, value: found.value, hosts: meta?.hosts ?? [], place: meta?.place ?? [] };
    },
    list: async (tenant) => await Promise.all(namesOf(options, tenant).map(async (name) => await view(tenant, name))),
    which: async (tenant, name) => await lookup(options, tenant, checkName(name)),
    set: async (tenant, name, secret) => {
      const { value, hosts, place = defaultPlace } = secret;
      await write(options, { tenant, name: checkName(name) }, { value, meta: { hosts: [...hosts], place: [...place] } });
      return await view(tenant, name);
    },
    rotate: async (tenant, name, value) => {
      await rotate(options, { tenant, name: checkName(name) }, value);
      return await view(tenant, name);
    },
    folders: (tenant) => options.dirs(tenant),
    remove: async (tenant, name) => removeFiles(options.dirs(tenant), checkName(name)),
  };
}

/** @throws FixRequestError for a name that is not one of an environment variable. */
function checkName(name: string): string {
  if (nameShape.test(name)) return name;
  const message = `${JSON.stringify(name.slice(0, 80))} cannot name a secret, because it must be capital letters, digits and underscores, such as GITHUB_TOKEN. Choose such a name.`;
  throw new FixRequestError('broker.bad-secret-name', message);
}

interface Found {
  readonly value: string;
  readonly source: string;
}

async function findValue(options: SecretsOptions, tenant: TenantId, name: string): Promise<Found | undefined> {
  const fromEnv = tenant === 'default' ? options.env[name] : undefined;
  if (fromEnv !== undefined && fromEnv !== '') return { value: parseSecretValue(fromEnv), source: `env ${name}` };
  const { keychain } = options;
  const kept = (await keychain?.unavailable()) === undefined ? await keychain?.get(tenant, name) : undefined;
  if (kept !== undefined) return { value: parseSecretValue(kept), source: 'keychain' };
  for (const dir of options.dirs(tenant)) {
    const text = readSecretFile(dir, name);
    if (text !== undefined) return { value: parseSecretValue(text), source: path.join(dir, name) };
  }
  return undefined;
}

async function lookup(options: SecretsOptions, tenant: TenantId, name: string): Promise<SecretLookup[]> {
  const env = options.env[name];
  return [
    tenant === 'default'
      ? { source: `env ${name}`, found: env !== undefined && env !== '' }
      : { source: `env ${name}`, found: false, note: 'the environment serves tenant default only' },
    await lookInKeychain(options, tenant, name),
    ...options.dirs(tenant).map((dir) => ({ source: path.join(dir, name), found: readSecretFile(dir, name) !== undefined })),
  ];
}

async function lookInKeychain({ keychain }: SecretsOptions, tenant: TenantId, name: string): Promise<SecretLookup> {
  const note = keychain === undefined ? 'none is asked here' : await keychain.unavailable();
  if (note !== undefined) return { source: 'keychain', found: false, note: `skipped: ${note}` };
  return { source: 'keychain', found: (await keychain?.get(tenant, name)) !== undefined };
}

function readMeta({ dirs }: SecretsOptions, tenant: TenantId, name: string): SecretMeta | undefined {
  for (const dir of dirs(tenant)) {
    const text = readSecretFile(dir, `${name}.json`);
    if (text === undefined) continue;
    try {
      return secretMeta.parse(JSON.parse(text));
    } catch (error) {
      const message = `${path.join(dir, `${name}.json`)} does not say where the secret may go, because it is not in its format. Write it again with "clawhold secrets set ${name}".`;
      throw new FixRequestError('broker.bad-secret-meta', message, { cause: error });
    }
  }
  return undefined;
}

async function viewOf(options: SecretsOptions, tenant: TenantId, name: string): Promise<SecretView> {
  const found = await findValue(options, tenant, name);
  const meta = readMeta(options, tenant, name);
  return {
    name,
    source: found?.source,
    fingerprint: found === undefined ? undefined : maskSecret(found.value),
    hosts: meta?.hosts ?? [],
    place: meta?.place ?? [],
    ...(meta === undefined ? {} : { created: meta.created }),
    ...(meta?.rotated === undefined ? {} : { rotated: meta.rotated }),
  };
}

function namesOf({ dirs }: SecretsOptions, tenant: TenantId): string[] {
  const files = dirs(tenant).flatMap((dir) => (checkSecretFolder(dir) ? fs.readdirSync(dir) : []));
  return [...new Set(files.map((file) => file.replace(/\.json$/, '')))].filter((name) => nameShape.test(name)).toSorted();
}

interface SecretAt {
  readonly tenant: TenantId;
  readonly name: string;
}

async function write(
  options: SecretsOptions,
  { tenant, name }: SecretAt,
  {
    value,
    meta,
  }: { readonly value: string | undefined; readonly meta: Pick<SecretMeta, 'hosts' | 'place' | 'rotated'> & { readonly created?: string } },
): Promise<void> {
  const checked = secretMeta.safeParse({ version: 1, created: new Date(options.clock.now()).toISOString(), ...meta });
  if (!checked.success) {
    const why = checked.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ');
    throw new FixRequestError('broker.bad-secret-meta', `The secret ${name} was not stored, because ${why}. Correct it and try again.`);
  }
  const text = value === undefined ? undefined : parseSecretValue(value);
  const [dir] = options.dirs(tenant);
  if (dir === undefined) throw new FixRequestError('broker.no-secret-folder', `Tenant ${tenant} has no folder for secrets here. Name one.`);
  makeSecretFolder(dir);
  // Metadata first: a value without it goes nowhere, the other order would give a new value old hosts.
  await writeFileAtomic(path.join(dir, `${name}.json`), `${JSON.stringify(checked.data)}\n`, { mode: 0o600 });
  if (text !== undefined) await writeFileAtomic(path.join(dir, name), text, { mode: 0o600 });
}

async function rotate(options: SecretsOptions, at: SecretAt, value: string): Promise<void> {
  const { tenant, name } = at;
  const meta = readMeta(options, tenant, name);
  const isInFile = options.dirs(tenant).some((dir) => readSecretFile(dir, name) !== undefined);
  if (meta === undefined || !isInFile) {
    const message = `The secret ${name} of tenant ${tenant} cannot be rotated, because no file holds it. Use "clawhold secrets set ${name}", or change it where "clawhold secrets which ${name}" finds it.`;
    throw new FixRequestError('broker.no-secret', message);
  }
  await write(options, at, {
    value,
    meta: { hosts: meta.hosts, place: meta.place, created: meta.created, rotated: new Date(options.clock.now()).toISOString() },
  });
}

function removeFiles(dirs: readonly string[], name: string): boolean {
  let removed = false;
  for (const dir of dirs) {
    if (!checkSecretFolder(dir)) continue;
    for (const file of [name, `${name}.json`]) {
      if (fs.lstatSync(path.join(dir, file), { throwIfNoEntry: false }) === undefined) continue;
      fs.rmSync(path.join(dir, file));
      removed = true;
    }
    syncDirectory(dir);
  }
  return removed;
}
