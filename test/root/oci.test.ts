import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { sandboxConformance } from '../../src/sandbox/conformance.ts';
import { openOci } from '../../src/sandbox/oci.ts';
import { makeRootfs } from './make-rootfs.ts';
import { whyNot } from './needs.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'oci-'));
const skip = whyNot('podman', 'runc', 'busybox', 'gcc');
after(() => {
  if (skip === undefined)
    execFileSync('podman', ['--root', path.join(folder, 'root'), '--runroot', path.join(folder, 'run'), 'system', 'reset', '--force']);
  rmSync(folder, { recursive: true, force: true });
});

const image = skip === undefined ? { kind: 'rootfs' as const, path: makeRootfs(folder) } : { kind: 'rootfs' as const, path: '/' };
const storage = { root: path.join(folder, 'root'), runRoot: path.join(folder, 'run') };
const runtimeDir = path.join(folder, 'runtime');
const open = () => openOci({ runtimeDir, storage, image });

sandboxConformance({ title: 'podman, workspace of a user', runtimeDir, open, owner: 12_345, skip });
sandboxConformance({ title: 'podman, workspace of root', runtimeDir, open, owner: undefined, skip });
