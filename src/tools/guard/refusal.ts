import type { ToolCode } from '../tool-code.ts';

/** Leaves a guarded operation early; turned into a value at the guard's public face. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: ToolCode;

  constructor(code: ToolCode, text: string, options?: ErrorOptions) {
    super(text, options);
    this.code = code;
  }
}

const byErrno: Readonly<Record<string, readonly [ToolCode, string]>> = {
  ENOENT: ['fs.not-found', 'does not exist; list the folder to see what does'],
  ENOTDIR: ['fs.not-a-folder', 'leads through a file, which holds no other files; list the folder above it'],
  EISDIR: ['fs.not-a-file', 'is a folder, not a file; use fs.list to see into it'],
  ELOOP: ['fs.symlink', 'is or leads through a symbolic link, which is never followed because it can lead outside; use the real path'],
  EMLINK: ['fs.symlink', 'is or leads through a symbolic link, which is never followed because it can lead outside; use the real path'],
  EACCES: ['fs.denied', 'is refused by the operating system; a human has to change its permissions'],
  EPERM: ['fs.denied', 'is refused by the operating system; a human has to change its permissions'],
  EROFS: ['fs.denied', 'is on a read-only file system; write elsewhere'],
  ENOSPC: ['fs.full', 'could not be written because the disk is full; nothing was changed; a human has to free space'],
  EDQUOT: ['fs.full', 'could not be written because the quota is used up; nothing was changed; a human has to free space'],
  EFBIG: ['fs.too-large', 'could not be written because it is larger than the system allows; write less'],
  ENAMETOOLONG: ['fs.outside', 'has a name that the file system cannot hold; choose a shorter one'],
  EINVAL: ['fs.denied', 'is refused by the file system; choose another name'],
  ENXIO: ['fs.special', 'is a device, FIFO or socket; only regular files can be used'],
};

export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** The refusal that a failed system call means; anything unexpected is thrown on as it is. */
export function refusalOf(thrown: unknown, shown: string): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const known = byErrno[errnoOf(thrown) ?? ''];
  if (known === undefined) throw thrown;
  return new Refusal(known[0], `${shown} ${known[1]}.`, { cause: thrown });
}
