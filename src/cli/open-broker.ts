import os from 'node:os';
import path from 'node:path';
import type { AskForCredential } from '../broker/credentials.ts';
import type { Grants } from '../broker/grants.ts';
import { brokerPolicy, type BrokerPolicy, type BrokerRule } from '../contracts/broker-config.ts';
import { systemClock } from '../contracts/clock.ts';
import { readYamlFile } from '../state/read-yaml-file.ts';
import type { RunNames } from '../worker/worker-context.ts';
import type { App } from './app.ts';

/** The credentials of one tenant in this process. */
export interface Broker {
  readonly grants: Grants;
  /** The asker of one run; it gets nothing any more once the run was let go. */
  forRun(run: RunNames): RunCredentials;
}

export interface RunCredentials {
  /** `tool` is `http.fetch`, `shell.exec` or `mcp.<server>`. */
  askFor(tool: string): AskForCredential;
  letGo(): void;
}

type BrokerApp = Pick<App, 'home' | 'tenant' | 'ledger' | 'secrets'>;

export async function openBroker(app: BrokerApp): Promise<Broker> {
  const [{ openGrants }, { openCredentials }] = await Promise.all([import('../broker/grants.ts'), import('../broker/credentials.ts')]);
  const held = new Map<string, () => boolean>();
  const grants = openGrants({
    clock: systemClock,
    ledger: async () => await app.ledger(),
    policy: async ({ tool }) => await brokerPolicyNow(app, tool),
    isLeaseHeld: async ({ lease }) => await Promise.resolve(held.get(lease)?.() ?? false),
  });
  return {
    grants,
    forRun({ run, session, agent, lease }) {
      const name = lease === undefined ? `run:${run}` : `${lease.task}#${lease.fence}`;
      held.set(name, () => holds(lease));
      const holder = { tenant: app.tenant, run, session, agent, executor: `${os.hostname()}:${process.pid}`, lease: name };
      return { askFor: (tool) => openCredentials(grants, holder, tool), letGo: () => void held.delete(name) };
    },
  };
}

function holds(lease: RunNames['lease']): boolean {
  try {
    lease?.check();
    return true;
  } catch {
    return false; // silent-ok: that is the answer
  }
}

export function brokerFile(tenantDir: string): string {
  return path.join(tenantDir, 'broker.yaml');
}

/**
 * The tenant's rules as they are on the disk now. Where a human wrote no `tools`, what humans said of each secret holds:
 * it may be carried to its own hosts.
 */
async function brokerPolicyNow({ home, tenant, secrets }: BrokerApp, tool: string): Promise<BrokerPolicy> {
  const read = await readYamlFile(brokerFile((await home()).tenantDir(tenant)), brokerPolicy);
  const policy = read?.value ?? { version: 1 };
  if (policy.tools !== undefined) return policy;
  const kept = await (await secrets()).list(tenant);
  const rules: BrokerRule[] = kept.map(({ name, hosts }) => ({ hosts: [...hosts], secret: name }));
  return { ...policy, tools: { [tool]: rules } };
}
