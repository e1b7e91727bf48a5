import { readLedger, type LedgerFilter, type LedgerRecord } from '../../governance/query-ledger.ts';
import type { AuditContext } from './audit-context.ts';

export { renderRecord } from './render-record.ts';

export interface AuditQueryOptions extends LedgerFilter {
  /** At most so many records. */
  readonly limit?: number;
}

/** `audit query`: the tenant's records that match, in time order, as they are read. */
export async function* auditQuery(context: AuditContext, options: AuditQueryOptions): AsyncGenerator<LedgerRecord> {
  const { limit = Infinity, ...filter } = options;
  let left = limit;
  if (left <= 0) return;
  for await (const record of readLedger(context.home.ledgerDir(context.tenant), filter)) {
    yield record;
    left -= 1;
    if (left <= 0) return;
  }
}
