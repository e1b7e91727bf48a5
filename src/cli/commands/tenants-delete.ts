import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import type { TenantId } from '../../contracts/ids.ts';
import { sha256 } from '../../contracts/json.ts';
import { sumOf } from '../../control/quota.ts';
import { isClaimAlive } from '../../governance/ledger.ts';
import type { Home } from '../../state/home.ts';
import type { Queue } from '../../state/queue.ts';
import { forgetTenant } from '../../state/forget-tenant.ts';
import { openRuns, type Runs } from '../../state/runs.ts';
import { openSandboxHolds } from '../../state/sandbox-holds.ts';
import { printResult, type CommandContext } from '../command.ts';
import { openHomeQueue } from '../resume-on-queue.ts';
import { applyShare, openPlatformTenants, record, type DeleteFlags } from './tenants.ts';

/**
 * Takes a tenant away: suspended first, so that nothing begins; then its tasks, its rows with its tokens, its folders and
 * its secrets, in this order, so that a crash in between leaves a tenant that starts nothing and can be deleted again.
 */
export async function deleteTenant(context: CommandContext, id: TenantId, { yes, erase }: DeleteFlags): Promise<void> {
  const { app, io } = context;
  const tenants = await openPlatformTenants(context);
  if (id === 'default')
    throw new FixRequestError(
      'state.default-tenant',
      'Tenant default is the platform itself and cannot be deleted. Suspend it, or remove the home.',
    );
  if (!tenants.list().includes(id)) tenants.existing(id);
  if (yes !== true) {
    const what = erase === true ? 'all of it is erased' : 'all of it is taken out of reach';
    throw new FixRequestError(
      'cli.not-confirmed',
      `Tenant ${id} was not deleted: ${what}, its tokens and tasks end. Say --yes if you mean it.`,
    );
  }
  const [home, database] = await Promise.all([app.home(), app.database()]);
  await using queue = await openHomeQueue(app);
  const parts = { home, queue, runs: openRuns(database, id), sandboxes: () => openSandboxHolds(database).use(id, Date.now()).sandboxes };
  await refuseAtWork(id, parts);
  await record(context, await tenants.edit(id, (editor) => editor.set(['state'], 'suspended')));
  await applyShare(context, id);
  // Something may have begun until then.
  await refuseAtWork(id, parts);
  const bytes = fs.readFileSync(path.join(home.tenantDir(id), 'tenant.yaml'), 'utf8');
  const tenant = tenants.existing(id);
  await record(context, { tenant, file: path.join('tenants', id, 'tenant.yaml'), before: sha256(bytes), after: sha256('') });
  const tasks = await queue.remove({ tenant: id });
  const rows = forgetTenant(database, id);
  const nowMs = Date.now();
  const kept = [...moveSecrets((await app.secrets()).folders(id).filter(fs.existsSync), nowMs, erase === true)];
  kept.push(...tenants.remove(id, { nowMs, isErased: erase === true }));
  const where = kept.length === 0 ? 'Nothing of it was kept.' : `What it had lies in ${kept.join(', ')}.`;
  printResult(io, { tenant: id, tasks, rows, kept }, `Tenant ${id} is deleted. ${where}`);
}

interface AtWork {
  readonly home: Home;
  readonly queue: Queue;
  readonly runs: Runs;
  readonly sandboxes: () => number;
}

async function refuseAtWork(id: TenantId, { home, queue, runs, sandboxes }: AtWork): Promise<void> {
  const { leased } = sumOf(await queue.counts({ tenant: id }));
  const running = runs.list({ state: 'running', limit: 1000 });
  const alive = running.filter(({ owner }) => owner !== undefined && isClaimAlive(home.ledgerDir(id), owner)).length;
  const most = Math.max(leased, alive, sandboxes());
  if (most === 0) return;
  throw new FixRequestError(
    'cli.tenant-at-work',
    `Tenant ${id} was not deleted, because ${most} of its runs ${most === 1 ? 'is' : 'are'} worked on. Suspend it, wait until they have ended or stop them, then try again.`,
  );
}

/** Under a name that no tenant can have, so that none inherits them. */
function* moveSecrets(dirs: readonly string[], nowMs: number, isErased: boolean): Generator<string> {
  for (const dir of dirs) {
    const to = path.join(path.dirname(dir), `.deleted-${path.basename(dir)}-${nowMs}`);
    fs.renameSync(dir, to);
    if (isErased) fs.rmSync(to, { recursive: true, force: true });
    else yield to;
  }
}
