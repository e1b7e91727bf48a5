import path from 'node:path';
import type { RunId, TenantId } from '../../contracts/ids.ts';
import { readTail } from '../../state/read-log.ts';
import type { RunRow } from '../../state/runs.ts';
import { unknownThing } from '../request-refused-error.ts';
import type { GatewayContext } from '../gateway-context.ts';

/** A run of this tenant. @throws RequestRefusedError (404) for any other. */
export function findRun(ctx: Pick<GatewayContext, 'stores'>, tenant: TenantId, id: string): RunRow {
  const row = ctx.stores(tenant).runs.get(id as RunId);
  if (row === undefined || row.tenant !== tenant) throw unknownThing('run', id);
  return row;
}

type ShownRun = Omit<RunRow, 'owner' | 'fence' | 'task' | 'taskFence'>;

/** A row as a client sees it: who holds it is our business. */
export function shownRun({ owner: _owner, fence: _fence, task: _task, taskFence: _taskFence, ...row }: RunRow): ShownRun {
  return row;
}

/** What the run said last, from the end of its journal: empty while it works. */
export function outputOf(ctx: Pick<GatewayContext, 'home'>, { tenant, id }: Pick<RunRow, 'tenant' | 'id'>): string {
  const { lastLine } = readTail(path.join(ctx.home.runDir(tenant, id), 'journal.jsonl'));
  if (lastLine === undefined) return '';
  try {
    const entry = JSON.parse(lastLine) as { readonly kind?: unknown; readonly output?: unknown };
    return entry.kind === 'end' && typeof entry.output === 'string' ? entry.output : '';
  } catch {
    // silent-ok: a damaged journal is what resume and verification report.
    return '';
  }
}
