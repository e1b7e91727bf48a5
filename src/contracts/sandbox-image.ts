import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

const digest = z.string().check(z.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in 64 lower-case hex digits'));

/** Where a container's files come from: exactly one of the three. Nothing is fetched when a sandbox starts. */
export const sandboxImage = whenRead(() =>
  z
    .strictObject({
      /** An unpacked root file system, relative to the folder that holds `.clawhold`. */
      rootfs: z.optional(z.string()),
      /** A tar archive of one, with its SHA-256. */
      tarball: z.optional(z.string()),
      sha256: z.optional(digest),
      /** `name@sha256:…` */
      name: z.optional(z.string().check(z.regex(/@sha256:[0-9a-f]{64}$/, 'must end with the digest, @sha256:…'))),
    })
    .check(
      z.refine(({ rootfs, tarball, name: reference, sha256 }) => {
        const given = [rootfs, tarball, reference].filter((one) => one !== undefined).length;
        return given === 1 && (tarball === undefined) === (sha256 === undefined);
      }, 'must have exactly one of rootfs, tarball (with its sha256) and name'),
    ),
);
