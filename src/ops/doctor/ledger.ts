import fs from 'node:fs';
import { verifyLedgerTail } from '../../governance/verify-ledger-tail.ts';
import { fail, firstOf, ok, skip, type Check } from './check.ts';
import { tenantsIn } from './tenants-in.ts';

/** The last segments only, so that it ends soon on a ledger of any size. */
export const ledger: Check = {
  name: 'ledger',
  run: async ({ home }) => {
    const problems: string[] = [];
    let rows = 0;
    for (const tenant of tenantsIn(home)) {
      const dir = home.ledgerDir(tenant);
      if (!fs.existsSync(dir)) continue;
      const report = await verifyLedgerTail(dir);
      rows += report.rows;
      problems.push(...report.problems.map((problem) => `${tenant}: ${problem}`));
    }
    if (problems.length > 0)
      return fail(
        `The ledger does not verify: ${firstOf(problems)}`,
        'Keep the folder as evidence, and run clawhold audit verify for all of it.',
      );
    if (rows === 0) return skip('Nothing is recorded yet.');
    return ok(`The last ${rows} ledger records are chained and signed as they should be; clawhold audit verify reads all of them.`);
  },
};
