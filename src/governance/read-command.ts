import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { Resource } from '../contracts/policy.ts';
import { defaultCommandSeconds } from '../contracts/tool.ts';
import { programFault } from './policy/command-pattern.ts';

/** Where a command starts: read by the caller, as it reads paths. */
export type CommandFolder = { readonly root: string; readonly path: string } | { readonly outside: true; readonly why: string };

/**
 * The command of a call, with the arguments that belong to it. A list that cannot be a command, and a folder that no
 * sandbox shows, become `outside`, which every policy denies.
 */
export function readCommand(argument: string, args: JsonObject, folder: CommandFolder): Resource {
  const argv = own(args, argument);
  if (!isWords(argv) || argv.length === 0) return outside(argument, argv, 'is not a list of words with a program first');
  if (argv.some((word) => word.includes('\0'))) return outside(argument, argv, 'has a NUL character in it');
  const fault = programFault(argv[0] ?? '');
  if (fault !== undefined) return outside(argument, argv[0], `names a program that ${fault}`);
  const cwd = own(args, 'cwd');
  if ('outside' in folder) return outside('cwd', cwd, folder.why);
  if (folder.root !== 'workspace') return outside('cwd', cwd, 'is not in the workspace, the only folder that a command sees');
  const env = own(args, 'env');
  const seconds = own(args, 'timeoutSeconds');
  return {
    kind: 'command',
    argument,
    argv,
    cwd: folder.path,
    env: typeof env === 'object' && env !== null && !Array.isArray(env) ? Object.keys(env).toSorted() : [],
    seconds: typeof seconds === 'number' ? seconds : defaultCommandSeconds,
  };
}

function isWords(value: JsonValue | undefined): value is readonly string[] & JsonValue {
  return Array.isArray(value) && value.every((word) => typeof word === 'string');
}

function own(args: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(args, name) ? args[name] : undefined;
}

function outside(argument: string, value: JsonValue | undefined, why: string): Resource {
  return { kind: 'outside', argument, raw: typeof value === 'string' ? value : JSON.stringify(value ?? null), why };
}
