import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTenantId } from '../../contracts/ids.ts';
import { countRequests } from './count-requests.ts';

test('requests that a token let in are counted by tenant, others are not, and a failing disk refuses nobody', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: string[] = [];
  const usage = {
    addRequests: (tenant: string, count: number): void => {
      if (tenant === 'broken') throw new Error('disk full');
      told.push(`${tenant} ${count}`);
    },
  };
  const authenticate = countRequests({ clock: { now: () => 0 }, usage }, (secret) =>
    secret === '' ? undefined : { kind: 'service', id: 'tok', tenant: parseTenantId(secret), roles: [] },
  );

  for (const secret of ['acme', '', 'acme', 'beta']) authenticate(secret, 0);
  t.mock.timers.tick(2000);
  authenticate('broken', 0);
  t.mock.timers.tick(2000);
  authenticate('acme', 0);
  t.mock.timers.tick(2000);

  assert.deepEqual(told, ['acme 2', 'beta 1', 'acme 1']);
});
