import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { sandboxConformance } from '../../src/sandbox/conformance.ts';
import { openOci } from '../../src/sandbox/oci.ts';
import { whyNot } from './needs.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'oci-'));
const skip = whyNot('podman', 'runc', 'busybox', 'gcc');
after(() => {
  if (skip === undefined)
    execFileSync('podman', ['--root', path.join(folder, 'root'), '--runroot', path.join(folder, 'run'), 'system', 'reset', '--force']);
  rmSync(folder, { recursive: true, force: true });
});

/** A root file system of one static program. */
function makeRootfs(): string {
  const rootfs = path.join(folder, 'rootfs');
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys', 'run', 'workspace', 'var/tmp'])
    mkdirSync(path.join(rootfs, name), { recursive: true });
  cpSync('/usr/bin/busybox', path.join(rootfs, 'bin/busybox'));
  const applets = execFileSync('/usr/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets.filter((name) => name !== 'busybox')) symlinkSync('busybox', path.join(rootfs, 'bin', applet));
  return rootfs;
}

const image = skip === undefined ? { kind: 'rootfs' as const, path: makeRootfs() } : { kind: 'rootfs' as const, path: '/' };
const storage = { root: path.join(folder, 'root'), runRoot: path.join(folder, 'run') };
const runtimeDir = path.join(folder, 'runtime');
const open = () => openOci({ runtimeDir, storage, image });

sandboxConformance({ title: 'podman, workspace of a user', runtimeDir, open, owner: 12_345, skip });
sandboxConformance({ title: 'podman, workspace of root', runtimeDir, open, owner: undefined, skip });
