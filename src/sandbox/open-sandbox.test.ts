import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNone } from './none.ts';
import { chooseDriver, limitsFor } from './open-sandbox.ts';
import type { IsolationClass, Probe } from './probe.ts';
import { SandboxUnavailableError } from './sandbox-error.ts';
import type { SandboxDriver } from './sandbox.ts';

function driver(name: string, isolation: IsolationClass, works: boolean): SandboxDriver {
  const probe: Probe = works
    ? { works, driver: name, isolation, version: '1', limits: { pids: { by: 'rlimit' } }, features: [], notes: [] }
    : { works, driver: name, isolation, reason: `${name} is broken.`, remedy: 'Mend it.' };
  return { ...openNone(), name, capabilities: { ...openNone().capabilities, isolation }, probe: async () => Promise.resolve(probe) };
}

const weak = driver('weak', 'namespace', true);
const strong = driver('strong', 'container', true);
const broken = driver('broken', 'microvm', false);

test('auto takes the strongest driver that works, and says why not a stronger one', async () => {
  const choice = await chooseDriver({ drivers: [weak, broken, strong], wanted: 'auto', minimum: 'namespace' });

  assert.equal(choice.driver.name, 'strong');
  assert.match(choice.why, /strong 1 reaches the class container.*broken is broken/);
});

test('a named driver that does not work is refused, never replaced', async () => {
  const chosen = chooseDriver({ drivers: [weak, strong, broken], wanted: 'broken', minimum: 'namespace' });

  await assert.rejects(chosen, (error) => error instanceof SandboxUnavailableError && /broken is broken/.test(error.message));
});

test('a named driver below the minimum is refused, although stronger ones work', async () => {
  await assert.rejects(
    chooseDriver({ drivers: [weak, strong], wanted: 'weak', minimum: 'container' }),
    /class namespace is below container/,
  );
});

test('auto refuses when no driver reaches the minimum, with the reason of each', async () => {
  await assert.rejects(chooseDriver({ drivers: [weak, strong, broken], wanted: 'auto', minimum: 'microvm' }), /weak: .*strong: .*broken/s);
});

test('a name that no driver has is refused', async () => {
  await assert.rejects(chooseDriver({ drivers: [weak], wanted: 'wek', minimum: 'namespace' }), /no driver of that name, only weak/);
});

test('the driver none is never chosen and never executes', async () => {
  const none = openNone();

  await assert.rejects(chooseDriver({ drivers: [none], wanted: 'auto', minimum: 'none' }), SandboxUnavailableError);
  await assert.rejects(none.start({ label: 'x', workspace: '/', limits: {}, network: 'none' }), SandboxUnavailableError);
});

test('a driver whose probe finds a weaker class than it promises is not taken for the promise', async () => {
  const lying: SandboxDriver = { ...strong, probe: weak.probe };

  await assert.rejects(chooseDriver({ drivers: [lying], wanted: 'auto', minimum: 'container' }), SandboxUnavailableError);
});

test('default limits that a machine cannot hold are named', async () => {
  const probe = await weak.probe();
  assert.ok(probe.works);

  assert.deepEqual(limitsFor(probe).limits, { pids: 512 });
  assert.ok(limitsFor(probe).missing.includes('memoryBytes'));
});
