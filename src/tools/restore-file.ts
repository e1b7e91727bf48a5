import type { Sha256 } from '../contracts/json.ts';
import { isRefused, type Refused, type Roots } from './guard.ts';
import { classifyPath } from './path.ts';

export interface Restore {
  /** As a plan names it: `docs/a.md`, `agent:HANDOFF.md`. */
  readonly target: string;
  /** Undefined: the file did not exist, so it is removed. */
  readonly beforeBytes?: Uint8Array;
  /** What the change left behind; anything else there now is someone's later work and stays. */
  readonly expect: Sha256;
}

/** Takes back one change of a run, through the guard and under its rules. Undefined when it is done. */
export async function restoreFile(roots: Roots, restore: Restore): Promise<Refused | undefined> {
  const at = classifyPath(restore.target, roots.names);
  if ('outside' in at) return { refused: 'fs.outside', text: `The path ${JSON.stringify(restore.target)} ${at.why}.` };
  const options = { expect: restore.expect };
  const done = restore.beforeBytes === undefined ? await roots.remove(at, options) : await roots.write(at, restore.beforeBytes, options);
  if (isRefused(done)) return done;
  if ('removed' in done && !done.removed)
    return { refused: 'fs.not-found', text: `${restore.target} is already gone; nothing was changed.` };
  return undefined;
}
