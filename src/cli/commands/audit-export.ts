import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { exportLedger, type LedgerExport } from '../../governance/export-ledger.ts';
import type { AuditContext } from './audit-context.ts';

export interface AuditExportOptions {
  /** The folder to make; it must not exist yet, or be empty. */
  readonly out: string;
}

/**
 * `audit export`: a folder that can be verified anywhere, `clawhold audit verify --dir OUT/ledger --checkpoint OUT/checkpoint.json`.
 * @throws FixRequestError when the folder cannot be written or holds something.
 */
export async function auditExport(context: AuditContext, options: AuditExportOptions): Promise<LedgerExport> {
  const out = path.resolve(options.out);
  const dir = context.home.ledgerDir(context.tenant);
  if (!fs.existsSync(dir))
    throw new FixRequestError('audit.no-ledger', `Tenant ${context.tenant} has no ledger yet (${dir}). Run an agent first.`);
  if (fs.existsSync(out) && fs.readdirSync(out).length > 0)
    throw new FixRequestError('audit.not-empty', `${out} is not empty, so nothing was exported. Name a new folder.`);
  try {
    return await exportLedger(dir, out);
  } catch (error) {
    throw new FixRequestError(
      'audit.not-exported',
      `The ledger could not be exported to ${out}: ${reasonOf(error)}. Name a folder that you may write.`,
      { cause: error },
    );
  }
}

export function renderExport(result: LedgerExport): string {
  const checkpoint = result.checkpointFile === undefined ? 'no checkpoint yet' : `latest checkpoint in ${result.checkpointFile}`;
  return `exported ${result.rows} records of ${result.streams} streams to ${result.out}; ${checkpoint}`;
}
