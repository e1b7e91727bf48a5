import { chmod, copyFile, cp, mkdir, readdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { hash, randomBytes } from 'node:crypto';
import { supervisorScript } from '../channel/supervisor.ts';

/** Files that every sandbox of a runtime folder mounts. */
export interface Kit {
  readonly folder: string;
  /** Shown as `/run/clawhold/programs`: shell and supervisor. */
  readonly programs: string;
  /** Not readable for anybody but root: a process that runs it cannot be looked into by commands of the same user. */
  readonly shell: string;
  readonly supervisor: string;
  readonly emptyFile: string;
  readonly emptyFolder: string;
  /** Shown as `/etc`: made-up accounts, and copies of what programs need to start and to check certificates. */
  readonly etc: string;
}

/** Of the host's `/etc`. */
const etcCopies = [
  'alternatives',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ca-certificates',
  'pki/tls/certs',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'mime.types',
  'protocols',
  'services',
  'magic',
];

const etcFiles: Readonly<Record<string, string>> = {
  passwd:
    'root:x:0:0:root:/nonexistent:/usr/sbin/nologin\nagent:x:1000:1000:agent:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
  hostname: 'sandbox\n',
};

/** Makes them once for a version of this code and of the machine's shell; a second process that makes them meanwhile wins or loses whole. */
export async function prepareKit(runtimeDir: string): Promise<Kit> {
  const hostShell = await realpath('/bin/sh');
  const shellStats = await stat(hostShell);
  const changed = await Promise.all(etcCopies.map(async (name) => (await stat(`/etc/${name}`).catch(() => undefined))?.mtimeMs));
  const parts = ['programs', supervisorScript, etcFiles, etcCopies, changed, hostShell, shellStats.size, shellStats.mtimeMs];
  const version = hash('sha256', JSON.stringify(parts)).slice(0, 16);
  const folder = path.join(runtimeDir, `kit-${version}`);
  const kit = describeKit(folder);
  if ((await stat(folder).catch(() => undefined)) === undefined) await makeKit(kit, hostShell);
  return kit;
}

function describeKit(folder: string): Kit {
  const at = (name: string): string => path.join(folder, name);
  return {
    folder,
    programs: at('programs'),
    shell: at('programs/sh'),
    supervisor: at('programs/supervisor'),
    emptyFile: at('empty-file'),
    emptyFolder: at('empty-folder'),
    etc: at('etc'),
  };
}

async function makeKit(kit: Kit, hostShell: string): Promise<void> {
  const draft = describeKit(`${kit.folder}.${randomBytes(6).toString('hex')}`);
  await mkdir(draft.folder);
  await chmod(draft.folder, 0o711);
  await mkdir(draft.programs);
  await copyFile(hostShell, draft.shell);
  await chmod(draft.shell, 0o111);
  await writeReadable(draft.supervisor, supervisorScript);
  await chmod(draft.programs, 0o555);
  await writeReadable(draft.emptyFile, '');
  await mkdir(draft.emptyFolder);
  await chmod(draft.emptyFolder, 0o555);
  await makeEtc(draft.etc);
  await rename(draft.folder, kit.folder).catch(async () => rm(draft.folder, { recursive: true, force: true })); // silent-ok: it is there
}

async function makeEtc(etc: string): Promise<void> {
  await mkdir(etc);
  for (const name of etcCopies) {
    if ((await stat(`/etc/${name}`).catch(() => undefined)) === undefined) continue;
    await mkdir(path.dirname(path.join(etc, name)), { recursive: true });
    await cp(await realpath(`/etc/${name}`), path.join(etc, name), { recursive: true, verbatimSymlinks: true });
  }
  for (const [name, text] of Object.entries(etcFiles)) await writeReadable(path.join(etc, name), text);
  await letRead(etc);
}

async function writeReadable(file: string, text: string): Promise<void> {
  await writeFile(file, text);
  await chmod(file, 0o444);
}

/** Whatever this process's umask is. */
async function letRead(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const inside = path.join(folder, entry.name);
    if (entry.isDirectory()) await letRead(inside);
    else if (entry.isFile()) await chmod(inside, 0o444);
  }
}
