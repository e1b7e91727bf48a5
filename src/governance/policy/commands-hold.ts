import type { Resource } from '../../contracts/policy.ts';
import type { CompiledRule } from './compiled.ts';
import { commandAllowed, commandForbidden } from './command-pattern.ts';
import { fold } from './fold.ts';
import { globMatches } from './glob.ts';

export type CommandResource = Extract<Resource, { kind: 'command' }>;

export function boundsCommands(rule: CompiledRule): boolean {
  return rule.commands !== undefined || rule.cwd !== undefined || rule.env !== undefined || rule.seconds !== undefined;
}

/**
 * Whether the rule's bounds on commands hold. What permits (an allow, and every grant, a question included) compares
 * exactly: all words, the folder, no variable that is not listed, no more time. What forbids is met by a spelling that
 * could run the same program, in a named folder, or with a named variable.
 *
 * A rule that lists commands and no variables admits none: `LD_PRELOAD` would make another program of the same words.
 */
export function commandsHold(rule: CompiledRule, commands: readonly CommandResource[]): boolean {
  const isExact = rule.verdict === 'allow' || rule.ref.layer === 'agent';
  const holds = isExact ? isWithin : isMet;
  return isExact ? commands.length > 0 && commands.every((one) => holds(rule, one)) : commands.some((one) => holds(rule, one));
}

function isWithin(rule: CompiledRule, { argv, cwd, env, seconds }: CommandResource): boolean {
  if (rule.commands !== undefined && !rule.commands.some((pattern) => commandAllowed(pattern, argv))) return false;
  if (rule.cwd !== undefined && !rule.cwd.some((glob) => globMatches(glob.alternatives, segmentsOf(cwd)))) return false;
  const names = rule.env ?? (rule.commands === undefined ? undefined : []);
  if (names !== undefined && !env.every((name) => names.includes(name))) return false;
  return rule.seconds === undefined || seconds <= rule.seconds;
}

function isMet(rule: CompiledRule, { argv, cwd, env }: CommandResource): boolean {
  if (rule.commands !== undefined && !rule.commands.some((pattern) => commandForbidden(pattern, argv))) return false;
  if (rule.cwd !== undefined && !rule.cwd.some((glob) => globMatches(glob.folded, segmentsOf(cwd).map(fold)))) return false;
  return rule.env === undefined || env.some((name) => rule.env?.includes(name));
}

function segmentsOf(path: string): readonly string[] {
  return path === '.' ? [] : path.split('/');
}
