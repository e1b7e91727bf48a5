import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { readPublicKey } from '../../governance/ledger.ts';
import { ledgerStreams } from '../../governance/query-ledger.ts';
import { verifyLedger, type VerifyReport } from '../../governance/verify-ledger.ts';
import type { Home } from '../../state/home.ts';
import { verifyBundles, type BundleReport } from '../../worker/verify-bundles.ts';
import type { AuditContext } from './audit-context.ts';

export interface AuditVerifyOptions {
  /** A file with a checkpoint that was exported earlier. */
  readonly checkpointFile?: string;
  /** 64 hex digits. Default: the public half of this machine's key, if it has one. */
  readonly publicKey?: string;
  readonly schema?: boolean;
  /** What `audit export` made, or any ledger folder, instead of the tenant's. */
  readonly dir?: string;
  /** Also compares what the runs left with what the ledger says of it. */
  readonly bundles?: boolean;
}

export interface AuditVerifyResult {
  readonly report: VerifyReport & { readonly bundles?: BundleReport };
  readonly exitCode: 0 | 6;
}

/** An exported ledger is verified without a home. */
export type VerifyContext = Pick<AuditContext, 'tenant' | 'keyFile'> & { readonly home?: Home };

/**
 * `audit verify`: the whole ledger of the tenant, or an exported one.
 * @throws FixRequestError when a file that is named cannot be read.
 */
export async function auditVerify(context: VerifyContext, options: AuditVerifyOptions): Promise<AuditVerifyResult> {
  const { dir, checkpoint } = options.dir === undefined ? ownLedger(context) : exportedLedger(options.dir);
  const publicKey = options.publicKey === undefined ? readPublicKey(context.keyFile) : checkedKey(options.publicKey);
  const checkpointFile = options.checkpointFile ?? checkpoint;
  const report = await verifyLedger(dir, {
    ...(checkpointFile === undefined ? {} : { checkpoint: readCheckpoint(checkpointFile) }),
    ...(publicKey === undefined ? {} : { publicKey }),
    ...(options.schema === undefined ? {} : { schema: options.schema }),
  });
  if (options.bundles !== true || !report.ok) return { report, exitCode: report.ok ? 0 : 6 };
  const bundles = await verifyBundles(ownHome(context, options), context.tenant);
  const ok = bundles.problems.length === 0;
  return { report: { ...report, ok, bundles }, exitCode: ok ? 0 : 6 };
}

function ownHome({ home }: VerifyContext, { dir }: AuditVerifyOptions): Home {
  if (home !== undefined && dir === undefined) return home;
  throw new FixRequestError('audit.no-bundles', 'An exported ledger has no runs beside it. Give --bundles without --dir, in the home.');
}

interface LedgerPlace {
  readonly dir: string;
  readonly checkpoint?: string;
}

function ownLedger({ home, tenant }: VerifyContext): LedgerPlace {
  assert.ok(home !== undefined, 'without a home, a ledger folder is named');
  return { dir: home.ledgerDir(tenant) };
}

/** An export holds `ledger/` and the checkpoint to hold it to. A folder without records is refused: it would verify. */
function exportedLedger(named: string): LedgerPlace {
  const inside = path.join(named, 'ledger');
  const dir = fs.existsSync(inside) ? inside : named;
  if (ledgerStreams(dir).length === 0)
    throw new FixRequestError(
      'audit.no-ledger',
      `There is no ledger in ${named}, so nothing was verified. Name the folder that audit export made.`,
    );
  const checkpoint = path.join(named, 'checkpoint.json');
  return dir === inside && fs.existsSync(checkpoint) ? { dir, checkpoint } : { dir };
}

function checkedKey(hex: string): string {
  if (/^[0-9a-f]{64}$/.test(hex)) return hex;
  throw new FixRequestError(
    'audit.bad-key',
    `--public-key was given ${JSON.stringify(hex)}, which is not 64 hexadecimal digits. Give the key that audit verify showed where the ledger was written.`,
  );
}

export function renderVerify({ report }: AuditVerifyResult): string {
  const { ok, rows, streams, checkpoints, problems, problemCount, notices, publicKey } = report;
  const counts = `${rows} records in ${streams.length} stream${streams.length === 1 ? '' : 's'}, ${checkpoints} checkpoint${checkpoints === 1 ? '' : 's'}${publicKey === undefined ? '' : ` by key ${publicKey.slice(0, 16)}`}`;
  const lines = [
    ok || report.bundles !== undefined
      ? `ledger ok: ${counts}`
      : `ledger NOT ok: ${problemCount} problem${problemCount === 1 ? '' : 's'} in ${counts}`,
  ];
  for (const { file, line, message } of problems) lines.push(`  ${file}${line > 0 ? `:${line}` : ''}: ${message}`);
  if (problemCount > problems.length) lines.push(`  … and ${problemCount - problems.length} more`);
  if (rows === 0)
    lines.push('  note: nothing is recorded here yet; if something should be, hold it to an exported checkpoint with --checkpoint');
  for (const notice of notices) lines.push(`  note: ${notice}`);
  if (report.bundles !== undefined) lines.push(...renderBundles(report.bundles));
  return lines.join('\n');
}

function renderBundles({ runs, problems, gone }: BundleReport): string[] {
  const lines = [`runs ${problems.length === 0 ? 'ok' : 'NOT ok'}: the files of ${runs} ended runs compared with the ledger`];
  for (const { run, file, message } of problems) lines.push(`  ${file === '' ? run : `${run}/${file}`}: ${message}`);
  if (gone.length > 0) lines.push(`  note: the folders of ${gone.length} ended runs are gone: pruned, or removed by somebody.`);
  return lines;
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
