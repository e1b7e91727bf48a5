import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { reasonOf } from '../../contracts/errors.ts';
import { SandboxRequestError, SandboxUnavailableError } from '../sandbox-error.ts';
import type { SandboxImage } from '../sandbox.ts';
import type { Engine } from './engine.ts';

const pinned = /^[a-z0-9][A-Za-z0-9._/:-]*@sha256:[0-9a-f]{64}$/;

/** The last arguments of `run` that name what is run. Nothing is fetched from anywhere. @throws SandboxRequestError, SandboxUnavailableError */
export async function resolveImage(engine: Engine, image: SandboxImage | undefined): Promise<string[]> {
  if (image === undefined)
    throw new SandboxRequestError(
      'The sandbox oci was not started',
      'It needs an image',
      'Name a root file system, a tarball or an image with its digest',
    );
  if (image.kind === 'rootfs') return await resolveRootfs(engine, image.path);
  if (image.kind === 'tarball') return [await importTarball(engine, image)];
  if (!pinned.test(image.reference)) {
    throw new SandboxRequestError(
      `The image ${image.reference} was not used`,
      'A name alone can mean other bytes tomorrow',
      'Write it as name@sha256:…',
    );
  }
  return [image.reference];
}

/** `:O` puts a throw-away layer over the folder: mount points are made in it, not in the folder. */
async function resolveRootfs(engine: Engine, folder: string): Promise<string[]> {
  if (engine.name !== 'podman') {
    throw new SandboxRequestError('The root file system was not used', 'docker runs images only', 'Give a tarball of it, or use podman');
  }
  const real = await realpath(folder).catch(() => folder);
  const found = await stat(real).catch(() => undefined);
  if (found?.isDirectory() !== true || /[:,]/.test(real)) {
    throw new SandboxUnavailableError(
      'oci',
      `the root file system ${folder} is not a folder, or has a colon or comma in its name`,
      'Correct its path',
    );
  }
  return ['--rootfs', `${real}:O`];
}

async function importTarball(engine: Engine, image: { readonly path: string; readonly sha256: string }): Promise<string> {
  if (!/^[0-9a-f]{64}$/.test(image.sha256))
    throw new SandboxRequestError('The tarball was not used', 'Its SHA-256 is not 64 hex digits', 'Correct it');
  const reference = `localhost/clawhold-image:${image.sha256}`;
  if (await hasImage(engine, reference)) return reference;
  const actual = await hashFile(image.path);
  if (actual !== image.sha256) {
    throw new SandboxUnavailableError(
      'oci',
      `the tarball ${image.path} has the SHA-256 ${actual}, not ${image.sha256}`,
      'Look at who changed it, or write the new digest',
    );
  }
  await engine.run(['import', image.path, reference], 600_000);
  return reference;
}

async function hasImage(engine: Engine, reference: string): Promise<boolean> {
  return await engine.run(['image', 'inspect', '--format', '{{.Id}}', reference]).then(
    () => true,
    () => false,
  );
}

async function hashFile(file: string): Promise<string> {
  const sum = createHash('sha256');
  try {
    await pipeline(createReadStream(file), sum);
  } catch (error) {
    throw new SandboxUnavailableError('oci', `the tarball ${file} cannot be read: ${reasonOf(error)}`, 'Correct its path');
  }
  return sum.digest('hex');
}
