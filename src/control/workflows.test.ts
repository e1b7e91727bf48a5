import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type FixRequestError, RetryableError } from '../contracts/errors.ts';
import { openWebhookCalls } from '../state/webhook-calls.ts';
import { openWorkflows } from '../state/workflows.ts';
import { addJob } from './change-jobs.ts';
import { jobOf, minute, openWorld, tenant, type World } from './fixtures/scheduler-world.ts';
import { signatureOf } from './notify.ts';
import { fireWebhook, newRefusalCount } from './webhook.ts';
import { listWorkflows, readWorkflow, startWorkflow, type StartWorkflowContext } from './workflows.ts';

const ann = { kind: 'user', id: 'ann' } as const;
const release = `version: 1
description: Write, check, announce.
steps:
  - { agent: writer, message: 'Write about {{input}}.' }
  - { agent: checker, message: Check the text. }
  - { agent: crier, message: Announce it. }
`;

function write(world: World, name: string, text: string): void {
  const folder = path.join(world.home.tenantDir(tenant), 'workflows');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, `${name}.yaml`), text);
}

function contextOf(world: World): StartWorkflowContext {
  return { ...world.ctx, workflows: openWorkflows(world.database) };
}

/** Rounds until nothing new was asked for; each run ends at once, as the test says. */
async function playOut(world: World, endOf: (agent: string) => 'done' | 'failed' = () => 'done'): Promise<void> {
  for (let open = 1; open > 0;) {
    await world.scheduler.tick();
    const begun = world.admitted.filter(({ run }) => world.runs.get(run)?.state === 'accepted');
    for (const { run, request } of begun) world.end(run, endOf(request.agent), `said by ${request.agent} {{input}}`);
    open = begun.length;
  }
}

const agents = (world: World): string[] => world.admitted.map(({ request }) => request.agent);

test('a workflow of three steps runs in order, each with the output of the one before as untrusted data', async () => {
  await using world = await openWorld();
  write(world, 'release', release);
  const { id } = await startWorkflow(contextOf(world), {
    tenant,
    name: 'release',
    principal: ann,
    door: 'cli',
    input: 'whales $&',
    key: 'k',
  });

  await playOut(world);

  assert.deepEqual(agents(world), ['writer', 'checker', 'crier']);
  assert.deepEqual(
    world.admitted.map(({ request }) => request.input),
    ['Write about whales $&.', 'Check the text.', 'Announce it.'],
  );
  const [first, second, third] = world.admitted;
  assert.equal(first?.request.untrusted, undefined);
  assert.deepEqual(second?.request.untrusted, [{ source: `run:${first?.run}`, text: 'said by writer {{input}}' }]);
  assert.deepEqual(third?.request.untrusted, [{ source: `run:${second?.run}`, text: 'said by checker {{input}}' }]);
  assert.deepEqual(first?.principal, { ...ann, tenant: 'default', roles: ['submitter'] });
  const passage = openWorkflows(world.database).get(tenant, id);
  assert.deepEqual([passage?.state, passage?.done], ['done', world.admitted.map(({ run }) => run)]);
  assert.equal((await world.events('workflow.start')).length, 1);
});

test('a workflow stops when a step fails, and says which', async () => {
  await using world = await openWorld();
  write(world, 'release', release);
  const { id } = await startWorkflow(contextOf(world), { tenant, name: 'release', principal: ann, door: 'cli', input: 'x', key: 'k' });

  await playOut(world, (agent) => (agent === 'checker' ? 'failed' : 'done'));

  assert.deepEqual(agents(world), ['writer', 'checker']);
  const passage = openWorkflows(world.database).get(tenant, id);
  assert.deepEqual([passage?.state, passage?.reason], ['failed', 'step 2 (checker) ended as failed: it is failed']);
});

test('a step waits while its tenant is over a quota or its lane over its rate, works for the project that it names, and stops for a lane that is not listed', async () => {
  await using world = await openWorld();
  const codes = ['control.over-quota', 'control.over-rate', undefined, 'control.lane-not-allowed'];
  const patient = world.another({
    admit: async (principal, request) => {
      const code = codes.shift();
      return code === undefined ? await world.ctx.admit(principal, request) : { outcome: 'refused', code, message: 'No.' };
    },
  });
  const steps = 'steps:\n  - { agent: writer, message: Go., project: shop, lane: infra }\n  - { agent: writer, message: Go. }\n';
  write(world, 'release', `version: 1\n${steps}`);
  const { id } = await startWorkflow(contextOf(world), { tenant, name: 'release', principal: ann, door: 'cli', input: '', key: 'k' });
  const stateAfter = async (): Promise<unknown> => {
    await patient.tick();
    const row = openWorkflows(world.database).get(tenant, id);
    return [row?.state, row?.run !== undefined];
  };

  const states = [await stateAfter(), await stateAfter(), await stateAfter()];
  const [first] = world.admitted;
  world.end(first!.run, 'done', 'x');
  const last = await stateAfter();

  assert.deepEqual(states, [
    ['running', false],
    ['running', false],
    ['running', true],
  ]);
  assert.deepEqual([first?.request.project, first?.request.lane], ['shop', 'infra']);
  assert.deepEqual(last, ['failed', false]);
});

test('a step in a lane that never starts anything ends its passage and says why, and another passage waits for a busy lane', async () => {
  await using world = await openWorld();
  const codeOf: Record<string, string> = { closed: 'control.lane-closed', busy: 'control.over-rate' };
  const strict = world.another({
    admit: async (_principal, { lane = '' }) => ({ outcome: 'refused', code: codeOf[lane] ?? '', message: `Lane ${lane} says no.` }),
  });
  for (const lane of ['closed', 'busy']) {
    write(world, lane, `version: 1\nsteps: [{ agent: writer, message: Go., project: shop, lane: ${lane} }]\n`);
    await startWorkflow(contextOf(world), { tenant, name: lane, principal: ann, door: 'cli', input: '', key: lane });
  }

  await strict.tick();
  await strict.tick();

  const passages = openWorkflows(world.database).list(tenant, 9);
  assert.deepEqual(passages.map(({ name, state, reason }) => [name, state, reason]).toSorted(), [
    ['busy', 'running', ''],
    ['closed', 'failed', 'step 1 (writer) was refused: Lane closed says no.'],
  ]);
});

test('a passage goes on after a crash with the definition of its start, and no step runs twice', async () => {
  await using world = await openWorld();
  write(world, 'release', release);
  await startWorkflow(contextOf(world), { tenant, name: 'release', principal: ann, door: 'cli', input: 'x', key: 'k' });
  const dying = world.another({
    admit: async (principal, request) => {
      await world.ctx.admit(principal, request);
      throw new RetryableError('test.died', 'the process died here');
    },
  });

  await dying.tick();
  write(world, 'release', release.replace('crier', 'somebody'));
  await world.another().tick();
  world.end(world.admitted[0]!.run);
  await playOut(world);

  assert.deepEqual(agents(world), ['writer', 'checker', 'crier']);
});

test('two schedulers move a passage on once', async () => {
  await using world = await openWorld();
  write(world, 'release', release);
  await startWorkflow(contextOf(world), { tenant, name: 'release', principal: ann, door: 'cli', input: 'x', key: 'k' });
  const other = world.another();

  for (let i = 0; i < 8; i += 1) {
    await Promise.all([world.scheduler.tick(), other.tick()]);
    for (const { run } of world.admitted) if (world.runs.get(run)?.state === 'accepted') world.end(run);
  }

  assert.deepEqual(agents(world), ['writer', 'checker', 'crier']);
});

test('a schedule and a webhook start the same workflow, and leave the same kinds of runs', async () => {
  await using world = await openWorld();
  write(world, 'release', release);
  await addJob(world.ctx, ann, {
    job: jobOf({ when: { at: '2026-06-01T00:01:00Z' }, agent: 'writer', workflow: 'release', message: 'news', notify: { file: 'out.md' } }),
  });
  world.nowMs += minute;
  await playOut(world);
  world.nowMs += minute;
  await playOut(world);
  const byCron = world.admitted.splice(0);

  const timestamp = String(world.nowMs / 1000);
  const call = {
    name: 'ship',
    ip: '127.0.0.1',
    body: Buffer.from('body'),
    headers: { 'x-clawhold-timestamp': timestamp, 'x-clawhold-signature': signatureOf('k', timestamp, 'body') },
  };
  const answer = await fireWebhook(
    {
      ...world.ctx,
      triggers: () => ({ ship: { workflow: 'release', secret: 'HOOK', message: 'news' } }),
      calls: openWebhookCalls(world.database),
      secret: async () => 'k',
      refusals: newRefusalCount(),
      workflow: async (start) => (await startWorkflow(contextOf(world), start)).id,
    },
    call,
  );
  await playOut(world);

  assert.equal(answer.outcome, 'accepted');
  const shape = ({ request, run }: World['admitted'][number]) => [
    request.agent,
    request.input,
    Object.keys(world.runs.get(run) ?? {}).toSorted(),
  ];
  assert.deepEqual(world.admitted.map(shape), byCron.map(shape));
  assert.equal(byCron[0]?.principal.id, 'schedule:nightly');
  assert.equal(world.admitted[0]?.principal.id, 'webhook:ship');
  assert.deepEqual(world.admitted[0]?.request.untrusted, [{ source: 'webhook:ship', text: 'body' }]);
  assert.deepEqual(
    world.firings('nightly').map(({ state, runState, run }) => [state, runState, run]),
    [['ended', 'done', byCron.at(-1)?.run]],
  );
  await world.scheduler.deliver();
  assert.match(fs.readFileSync(path.join(world.home.artifactsDir(tenant), 'out.md'), 'utf8'), /said by crier/);
});

test('a job whose workflow is gone is refused with the reason, and one whose step is refused too', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, ann, { job: jobOf({ when: { every: '1m' }, workflow: 'nothing' }) });
  write(world, 'release', release);
  await addJob(world.ctx, ann, { job: jobOf({ id: 'denied', when: { every: '1m' }, workflow: 'release' }) });
  const scheduler = world.another({ admit: async () => ({ outcome: 'refused', code: 'control.unknown-agent', message: 'no such agent' }) });

  for (world.nowMs += minute; world.firings('denied')[0]?.state !== 'refused'; world.nowMs += 10_000) await scheduler.tick();

  assert.match(world.firings('nightly')[0]?.reason ?? '', /control.unknown-workflow: There is no workflow "nothing"/);
  assert.match(world.firings('denied')[0]?.reason ?? '', /step 1 \(writer\) was refused: no such agent/);
});

test('a workflow is a plain file of its tenant: no path, no link, no other shape', async () => {
  await using world = await openWorld();
  write(world, 'release', release);
  write(world, 'wrong', 'version: 1\nsteps: []\n');
  const folder = path.join(world.home.tenantDir(tenant), 'workflows');
  fs.writeFileSync(path.join(world.root, 'planted.yaml'), release);
  fs.symlinkSync(path.join(world.root, 'planted.yaml'), path.join(folder, 'linked.yaml'));

  assert.deepEqual(listWorkflows(world.home, tenant), ['linked', 'release', 'wrong']);
  assert.equal((await readWorkflow(world.home, tenant, 'release')).steps.length, 3);
  for (const name of ['../workflows/release', 'linked', 'nope', ''])
    await assert.rejects(
      readWorkflow(world.home, tenant, name),
      (error: FixRequestError) => error.code === 'control.unknown-workflow' && !error.message.includes(world.root),
      name,
    );
  await assert.rejects(
    readWorkflow(world.home, tenant, 'linked'),
    /workflows\/linked\.yaml is a link or a folder and no file of its own\./,
  );
  await assert.rejects(readWorkflow(world.home, tenant, 'wrong'), { code: 'config.invalid' });
});
