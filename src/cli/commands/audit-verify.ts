import fs from 'node:fs';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { readPublicKey } from '../../governance/ledger.ts';
import { verifyLedger, type VerifyReport } from '../../governance/verify-ledger.ts';
import type { AuditContext } from './audit-context.ts';

export interface AuditVerifyOptions {
  /** A file with a checkpoint that was exported earlier. */
  readonly checkpointFile?: string;
  /** 64 hex digits. Default: the public half of this machine's key, if it has one. */
  readonly publicKey?: string;
  readonly schema?: boolean;
  /** Another ledger folder than the tenant's, e.g. an export's. */
  readonly dir?: string;
}

export interface AuditVerifyResult {
  readonly report: VerifyReport;
  readonly exitCode: 0 | 6;
}

/**
 * `audit verify`: the whole ledger of the tenant, or an exported one.
 * @throws FixRequestError when a file that is named cannot be read.
 */
export async function auditVerify(context: AuditContext, options: AuditVerifyOptions): Promise<AuditVerifyResult> {
  const dir = options.dir ?? context.home.ledgerDir(context.tenant);
  if (options.dir !== undefined && !fs.existsSync(dir))
    throw new FixRequestError('audit.no-ledger', `There is no ledger folder ${dir}. Name the folder that audit export made.`);
  const publicKey = options.publicKey ?? readPublicKey(context.keyFile);
  const report = await verifyLedger(dir, {
    ...(options.checkpointFile === undefined ? {} : { checkpoint: readCheckpoint(options.checkpointFile) }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(options.schema === undefined ? {} : { schema: options.schema }),
  });
  return { report, exitCode: report.ok ? 0 : 6 };
}

export function renderVerify({ report }: AuditVerifyResult): string {
  const { ok, rows, streams, checkpoints, problems, problemCount, notices, publicKey } = report;
  const counts = `${rows} records in ${streams.length} stream${streams.length === 1 ? '' : 's'}, ${checkpoints} checkpoint${checkpoints === 1 ? '' : 's'}${publicKey === undefined ? '' : ` by key ${publicKey.slice(0, 16)}`}`;
  const lines = [ok ? `ledger ok: ${counts}` : `ledger NOT ok: ${problemCount} problem${problemCount === 1 ? '' : 's'} in ${counts}`];
  for (const { file, line, message } of problems) lines.push(`  ${file}${line > 0 ? `:${line}` : ''}: ${message}`);
  if (problemCount > problems.length) lines.push(`  … and ${problemCount - problems.length} more`);
  for (const notice of notices) lines.push(`  note: ${notice}`);
  return lines.join('\n');
}

/** The file `checkpoint.json` of an export, or any file that holds one checkpoint's line. */
function readCheckpoint(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new FixRequestError(
      'audit.no-checkpoint',
      `The checkpoint ${file} cannot be read: ${reasonOf(error)}. Name the checkpoint.json that audit export wrote.`,
      { cause: error },
    );
  }
}
