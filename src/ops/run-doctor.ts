import { reasonOf } from '../contracts/errors.ts';
import type { Check, CheckResult, DoctorContext } from './doctor/check.ts';
import { checkTable } from './doctor/check-table.ts';

export type { AgentFinding, Check, CheckResult, CheckStatus, DoctorContext, ProjectFinding } from './doctor/check.ts';

export interface DoctorReport {
  /** False when a check failed; warnings do not count. */
  readonly ok: boolean;
  readonly checks: readonly (CheckResult & { readonly name: string })[];
}

export interface DoctorOptions {
  readonly checks?: readonly Check[];
  /** How long one check may take. Default 30 s. */
  readonly checkMs?: number;
}

/** Names of all checks, for documents and tests. */
export function doctorChecks(): readonly string[] {
  return checkTable.map(({ name }) => name);
}

/**
 * Looks at an installation and changes nothing.
 *
 * Contract: a check that throws or hangs has failed, and the others still run; every result that is no `ok` or `skip` says
 * what to do.
 */
export async function runDoctor(context: DoctorContext, options: DoctorOptions = {}): Promise<DoctorReport> {
  const { checks = checkTable, checkMs = 30_000 } = options;
  const results = await Promise.all(
    checks.map(async (check) => Object.assign({ name: check.name }, await resultOf(check, context, checkMs))),
  );
  return { ok: results.every(({ status }) => status !== 'fail'), checks: results };
}

async function resultOf(check: Check, context: DoctorContext, checkMs: number): Promise<CheckResult> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<CheckResult>((done) => {
    const message = `The check did not end within ${checkMs / 1000} s.`;
    timer = setTimeout(() => done({ status: 'fail', message, remedy: 'Look at the disk and at what the check reads.' }), checkMs);
  });
  try {
    return await Promise.race([(async () => await check.run(context))(), late]);
  } catch (error) {
    return {
      status: 'fail',
      message: `The check could not be done: ${reasonOf(error)}`,
      remedy: 'Correct what it names, then run clawhold doctor again.',
    };
  } finally {
    clearTimeout(timer);
  }
}
