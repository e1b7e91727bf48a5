import { listSandboxes } from '../../sandbox/reap-orphans.ts';
import { firstOf, ok, warn, type Check } from './check.ts';

export const orphanSandboxes: Check = {
  name: 'orphan-sandboxes',
  run: async ({ runtimeDir }) => {
    const orphans = (await listSandboxes(runtimeDir)).filter(({ isOrphan }) => isOrphan).map(({ id }) => id);
    if (orphans.length === 0) return ok('No sandbox has outlived its process.');
    return warn(
      `${orphans.length} sandbox${orphans.length === 1 ? ' has' : 'es have'} outlived the process: ${firstOf(orphans)}.`,
      'The next command that opens a sandbox takes them away; clawhold sandbox list does.',
    );
  },
};
