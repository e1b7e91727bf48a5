import path from 'node:path';
import { followLedger, ledgerEnd, type StreamPosition } from '../../governance/follow-ledger.ts';
import { tailLedger, type LedgerFilter, type LedgerRecord } from '../../governance/query-ledger.ts';
import type { AuditContext } from './audit-context.ts';

export { renderRecord } from './render-record.ts';

export interface AuditTailOptions extends LedgerFilter {
  /** Default 20. */
  readonly count?: number;
  /** Go on with records as they are written, until it aborts. */
  readonly follow?: AbortSignal;
}

/** `audit tail`: the last records, then, with `follow`, the new ones. None is left out or shown twice in between. */
export async function* auditTail(context: AuditContext, options: AuditTailOptions): AsyncGenerator<LedgerRecord> {
  const { count = 20, follow, ...filter } = options;
  const dir = context.home.ledgerDir(context.tenant);
  const from = follow === undefined ? undefined : await ledgerEnd(dir);
  const last = await tailLedger(dir, count, filter);
  // What was written since the end was noted comes with the new ones.
  yield* last.filter((record) => from === undefined || isBefore(record, from));
  if (follow !== undefined && from !== undefined) yield* followLedger(dir, filter, { signal: follow, from });
}

function isBefore(record: LedgerRecord, from: ReadonlyMap<string, StreamPosition>): boolean {
  const end = from.get(record.stream);
  if (end === undefined) return false;
  const segment = Number.parseInt(path.basename(record.file), 10);
  return segment < end.segment || (segment === end.segment && record.line <= end.line);
}
