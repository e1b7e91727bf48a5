import fs from 'node:fs';
import path from 'node:path';
import type { TenantId } from '../contracts/ids.ts';
import { keychainFailed, runKeychainProgram } from './secrets/run-keychain-program.ts';

/** A store of the operating system. */
export interface Keychain {
  /** Why it cannot be used here; undefined when it can. Asked once for a process. */
  unavailable(): Promise<string | undefined>;
  /** @throws FixRequestError when a keychain that could be used does not answer: an older value of a file would be a guess. */
  get(tenant: TenantId, name: string): Promise<string | undefined>;
}

export interface KeychainOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  /** Absolute; default where the system has it. Never searched in PATH, which an agent's owner may not be alone to write. */
  readonly program?: string;
  /** Of one question. */
  readonly limitMs?: number;
}

/** What is asked to find out whether the keychain answers. No secret can be called so. */
const probeAccount = 'clawhold-probe';

interface Store {
  readonly program: string;
  args(account: string): readonly string[];
  /** Exit code of "there is none". */
  readonly missing: number;
  /** What has to be there before the program is started. */
  fault(env: KeychainOptions['env']): string | undefined;
}

const stores: Readonly<Record<string, Store | undefined>> = {
  linux: {
    program: '/usr/bin/secret-tool',
    args: (account) => ['lookup', 'service', 'clawhold', 'account', account],
    missing: 1,
    fault: (env) => (hasSessionBus(env) ? undefined : 'this process has no session bus, over which a keychain would answer'),
  },
  darwin: {
    program: '/usr/bin/security',
    args: (account) => ['find-generic-password', '-w', '-s', 'clawhold', '-a', account],
    missing: 44,
    fault: () => undefined,
  },
};

/**
 * The keychain of the operating system: the Secret Service of a Linux desktop, the login keychain of macOS. It is asked
 * by the system's own program, because a call over the session bus can block its thread for good, and a program can be
 * ended.
 *
 * Contract: no question takes longer than `limitMs`; nothing is started where the machine shows already that no keychain
 * can answer.
 */
export function openKeychain(options: KeychainOptions): Keychain {
  let probed: Promise<string | undefined> | undefined;
  return {
    unavailable: async () => await (probed ??= probe(options)),
    get: async (tenant, name) => {
      const answer = await ask(options, storeOf(options), tenant === 'default' ? name : `${tenant}/${name}`);
      if (answer.kind === 'failed') throw keychainFailed(name, answer.why);
      return answer.kind === 'value' ? answer.value : undefined;
    },
  };
}

async function probe(options: KeychainOptions): Promise<string | undefined> {
  const store = stores[options.platform];
  if (store === undefined) return `there is no adapter for a keychain of ${options.platform}`;
  const fault = store.fault(options.env);
  if (fault !== undefined) return fault;
  const program = options.program ?? store.program;
  if (!fs.existsSync(program)) return `there is no ${program}`;
  const answer = await ask(options, store, probeAccount);
  return answer.kind === 'failed' ? answer.why : undefined;
}

function storeOf({ platform }: KeychainOptions): Store {
  const store = stores[platform];
  if (store === undefined) throw keychainFailed('any', `there is no adapter for ${platform}`);
  return store;
}

async function ask({ env, program, limitMs = 2000 }: KeychainOptions, store: Store, account: string) {
  const command = { program: program ?? store.program, args: store.args(account), missing: store.missing };
  return await runKeychainProgram(command, { env, limitMs });
}

function hasSessionBus(env: KeychainOptions['env']): boolean {
  const { DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: folder } = env;
  if (address !== undefined && address !== '') return true;
  return folder !== undefined && folder !== '' && fs.existsSync(path.join(folder, 'bus'));
}
