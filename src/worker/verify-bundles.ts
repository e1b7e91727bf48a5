import fs from 'node:fs/promises';
import path from 'node:path';
import { sha256 } from '../contracts/json.ts';
import { parseRunId, type TenantId } from '../contracts/ids.ts';
import type { LedgerEventOf } from '../contracts/ledger.ts';
import { readLedger } from '../governance/query-ledger.ts';
import type { Home } from '../state/home.ts';

export interface BundleProblem {
  readonly run: string;
  /** Relative to the run's folder; empty: the folder itself. */
  readonly file: string;
  readonly message: string;
}

export interface BundleReport {
  /** Ended runs whose folders were compared. */
  readonly runs: number;
  readonly problems: readonly BundleProblem[];
  /** Ended runs without a folder: pruned, or removed by somebody. */
  readonly gone: readonly string[];
}

/**
 * Compares what runs left with what the ledger says they left: the journal, and so what a replay, an undo or a session
 * goes on from, is as trustworthy as the ledger. A folder with a finished run that the ledger does not know tells that
 * records were cut off, or that the folder was put there. Runs that are at work or were killed are passed over.
 */
export async function verifyBundles(home: Home, tenant: TenantId): Promise<BundleReport> {
  const { known, ends } = await endsOf(home.ledgerDir(tenant));
  const problems: BundleProblem[] = [];
  const gone: string[] = [];
  for (const [run, files] of ends) {
    const dir = home.runDir(tenant, parseRunId(run));
    if (await isThere(dir)) problems.push(...(await compareFiles(run, dir, files)));
    else gone.push(run);
  }
  for (const run of await finishedFolders(path.join(home.tenantDir(tenant), 'runs'))) {
    if (!known.has(run))
      problems.push({
        run,
        file: '',
        message: 'the ledger does not know this run: its records were removed, or its folder was put there.',
      });
  }
  return { runs: ends.size - gone.length, problems, gone };
}

/** A run that was continued after its end has none until it ends again. */
async function endsOf(ledgerDir: string): Promise<{ known: Set<string>; ends: Map<string, LedgerEventOf<'run.end'>['files']> }> {
  const known = new Set<string>();
  const ends = new Map<string, LedgerEventOf<'run.end'>['files']>();
  for await (const { event } of readLedger(ledgerDir)) {
    if (event.type === 'run.start') known.add(event.run);
    if (event.type === 'run.resumed') ends.delete(event.run);
    if (event.type === 'run.end') ends.set(event.run, event.files);
  }
  return { known, ends };
}

async function compareFiles(run: string, dir: string, files: LedgerEventOf<'run.end'>['files']): Promise<BundleProblem[]> {
  const problems: BundleProblem[] = [];
  for (const [file, hash] of Object.entries(files)) {
    const bytes = await fs.readFile(path.join(dir, file)).catch(() => undefined);
    if (bytes === undefined) problems.push({ run, file, message: 'the file is missing or cannot be read.' });
    else if (sha256(bytes) !== hash) problems.push({ run, file, message: 'the file is not the one that the run left.' });
  }
  return problems;
}

/** Names of run folders with a `run.json`: it is written when a run ends. */
async function finishedFolders(runs: string): Promise<string[]> {
  const found: string[] = [];
  for (const day of await fs.readdir(runs).catch(() => [])) {
    for (const run of await fs.readdir(path.join(runs, day)).catch(() => []))
      if (await isThere(path.join(runs, day, run, 'run.json'))) found.push(run);
  }
  return found;
}

async function isThere(file: string): Promise<boolean> {
  return (await fs.stat(file).catch(() => undefined)) !== undefined;
}
