import fs from 'node:fs';
import path from 'node:path';
import { parseTenantId } from '../../contracts/ids.ts';
import { reasonOf } from '../../contracts/errors.ts';
import { lastCheckpoint } from '../../governance/checkpoint-log.ts';
import { readPublicKey } from '../../governance/ledger.ts';
import { fail, ok, skip, type Check } from './check.ts';

export const signingKey: Check = {
  name: 'signing-key',
  run: ({ keyFile, home, uid }) => {
    const stat = fs.statSync(keyFile, { throwIfNoEntry: false });
    const hasLedger = fs.existsSync(path.join(home.dir, 'tenants', 'default', 'ledger', 'checkpoints.jsonl'));
    if (stat === undefined && hasLedger)
      return fail(
        `The key ${keyFile} that signs the ledger is gone, so nothing can be recorded.`,
        'Restore it from where it is kept (clawhold backup restore --with-secrets), or move the ledger away as evidence.',
      );
    if (stat === undefined) return skip('There is no signing key yet; the first run makes it.');
    const dir = fs.statSync(path.dirname(keyFile));
    if ((stat.mode & 0o077) !== 0)
      return fail(
        `The signing key ${keyFile} has mode ${(stat.mode & 0o777).toString(8)}: others may read it.`,
        `Run chmod 600 ${keyFile}, and treat the key as known.`,
      );
    if ((dir.mode & 0o022) !== 0)
      return fail(
        `Others may replace the signing key: its folder has mode ${(dir.mode & 0o777).toString(8)}.`,
        `Run chmod 700 ${path.dirname(keyFile)}.`,
      );
    if (uid !== undefined && stat.uid !== uid)
      return fail(`The signing key ${keyFile} belongs to user ${stat.uid}.`, 'Give it to the user that runs Clawhold.');
    if (path.resolve(keyFile).startsWith(path.join(home.root, 'workspace') + path.sep))
      return fail(`The signing key ${keyFile} lies in a workspace.`, 'Move it out of reach of agents.');
    const otherKey = hasLedger ? whyNotContinued(home.ledgerDir(parseTenantId('default')), keyFile) : undefined;
    if (otherKey !== undefined) return fail(otherKey, 'Put back the key that signed it, and keep this one elsewhere.');
    return ok(`${keyFile} is readable for this user alone.`);
  },
};

/** A ledger goes on only with the key that signed its last checkpoint. */
function whyNotContinued(dir: string, keyFile: string): string | undefined {
  try {
    lastCheckpoint(dir, readPublicKey(keyFile) ?? '');
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
