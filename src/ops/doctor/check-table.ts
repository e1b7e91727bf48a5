import { agents } from './agents.ts';
import { backupAge } from './backup-age.ts';
import type { Check } from './check.ts';
import { clock } from './clock.ts';
import { configuration } from './configuration.ts';
import { databaseIntegrity } from './database-integrity.ts';
import { databaseSchema } from './database-schema.ts';
import { diskSpace } from './disk-space.ts';
import { fileGuard } from './file-guard.ts';
import { homePermissions } from './home-permissions.ts';
import { ledger } from './ledger.ts';
import { listeners } from './listeners.ts';
import { model } from './model.ts';
import { nodeVersion } from './node-version.ts';
import { orphanSandboxes } from './orphan-sandboxes.ts';
import { policies } from './policies.ts';
import { projects } from './projects.ts';
import { queue } from './queue.ts';
import { sandbox } from './sandbox.ts';
import { schedules } from './schedules.ts';
import { secretFiles } from './secret-files.ts';
import { server } from './server.ts';
import { signingKey } from './signing-key.ts';
import { staleRuns } from './stale-runs.ts';
import { systemdUnit } from './systemd-unit.ts';
import { webhooks } from './webhooks.ts';
import { workflows } from './workflows.ts';

/** In the order in which they are shown: what everything stands on comes first. */
export const checkTable: readonly Check[] = [
  nodeVersion,
  homePermissions,
  diskSpace,
  clock,
  configuration,
  policies,
  agents,
  projects,
  workflows,
  webhooks,
  model,
  databaseSchema,
  databaseIntegrity,
  ledger,
  signingKey,
  secretFiles,
  fileGuard,
  sandbox,
  orphanSandboxes,
  server,
  listeners,
  queue,
  schedules,
  staleRuns,
  backupAge,
  systemdUnit,
];
