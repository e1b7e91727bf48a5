import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { readPublicKey } from '../../governance/ledger.ts';
import { exportLedger, type LedgerExport } from '../../governance/export-ledger.ts';
import type { AuditContext } from './audit-context.ts';

/** What was copied, and the key that signed it: who verifies elsewhere needs it. */
export interface AuditExport extends LedgerExport {
  readonly publicKey?: string;
}

export interface AuditExportOptions {
  /** The folder to make; it must not exist yet, or be empty. */
  readonly out: string;
}

/**
 * `audit export`: a folder that can be verified anywhere, `clawhold audit verify --dir OUT --public-key HEX`.
 * @throws FixRequestError when the folder cannot be written or holds something.
 */
export async function auditExport(context: AuditContext, options: AuditExportOptions): Promise<AuditExport> {
  const out = path.resolve(options.out);
  const dir = context.home.ledgerDir(context.tenant);
  if (!fs.existsSync(dir))
    throw new FixRequestError('audit.no-ledger', `Tenant ${context.tenant} has no ledger yet (${dir}). Run an agent first.`);
  if (fs.existsSync(out) && fs.readdirSync(out).length > 0)
    throw new FixRequestError('audit.not-empty', `${out} is not empty, so nothing was exported. Name a new folder.`);
  try {
    const publicKey = readPublicKey(context.keyFile);
    return { ...(await exportLedger(dir, out)), ...(publicKey === undefined ? {} : { publicKey }) };
  } catch (error) {
    throw new FixRequestError(
      'audit.not-exported',
      `The ledger could not be exported to ${out}: ${reasonOf(error)}. Name a folder that you may write.`,
      { cause: error },
    );
  }
}

export function renderExport({ rows, streams, out, checkpointFile, publicKey }: AuditExport): string {
  const checkpoint = checkpointFile === undefined ? 'no checkpoint yet' : `latest checkpoint in ${checkpointFile}`;
  const key = publicKey === undefined ? '' : ` --public-key ${publicKey}`;
  return `exported ${rows} records of ${streams} ${streams === 1 ? 'stream' : 'streams'} to ${out}; ${checkpoint}\nverify it anywhere: clawhold audit verify --dir ${out}${key}`;
}
