import type { TenantId } from '../../contracts/ids.ts';
import type { Home } from '../../state/home.ts';

/** What the audit commands need of the world; `audit verify` of an exported ledger needs no home. */
export interface AuditContext {
  readonly home: Home;
  readonly tenant: TenantId;
  /** The private key that signs this machine's checkpoints; it need not exist. */
  readonly keyFile: string;
}
