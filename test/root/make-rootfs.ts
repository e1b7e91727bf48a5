import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';

/** A root file system of one static program. */
export function makeRootfs(folder: string): string {
  const rootfs = path.join(folder, 'rootfs');
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys', 'run', 'workspace', 'var/tmp'])
    mkdirSync(path.join(rootfs, name), { recursive: true });
  cpSync('/usr/bin/busybox', path.join(rootfs, 'bin/busybox'));
  const applets = execFileSync('/usr/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets.filter((name) => name !== 'busybox')) symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  return rootfs;
}
