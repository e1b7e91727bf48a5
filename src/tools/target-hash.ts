import { AskHumanError } from '../contracts/errors.ts';
import type { Sha256 } from '../contracts/json.ts';
import { isRefused, type Roots } from './guard.ts';
import { classifyPath } from './path.ts';

/**
 * The hash of a planned target's bytes now; undefined when it does not exist. For a resume, which compares it.
 *
 * @throws AskHumanError `tools.target-refused` when something stands there that the guard refuses: it is then neither
 * what was planned nor what was there before.
 */
export function targetHash(roots: Roots, target: string): Sha256 | undefined {
  const at = classifyPath(target, roots.names);
  if ('outside' in at) throw refusedTarget(`the path ${JSON.stringify(target)} ${at.why}.`);
  const found = roots.hash(at);
  if (!isRefused(found)) return found;
  if (found.refused === 'fs.not-found') return undefined;
  throw refusedTarget(found.text);
}

function refusedTarget(why: string): AskHumanError {
  return new AskHumanError('tools.target-refused', `The target of a planned change cannot be looked at: ${why} Look at it and decide.`);
}
