import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { RunRequest } from '../contracts/admission.ts';
import { monotonicMs } from '../contracts/clock.ts';
import { FixRequestError, RetryableError } from '../contracts/errors.ts';
import { newSessionId, parseAgentId, parseTenantId, type TenantId } from '../contracts/ids.ts';
import { sha256 } from '../contracts/json.ts';
import type { Project } from '../contracts/project.ts';
import { roles } from '../contracts/principal.ts';
import { readPayload } from '../contracts/read-payload.ts';
import { taskIdOf } from '../contracts/task.ts';
import type { Queue } from '../state/queue.ts';
import { admit, type AdmitContext } from './admit.ts';
import { acme, beta, main, newWorld, noon, principal, type World } from './fixtures/admit-world.ts';
import { sharesOf } from './quota.ts';

function ask(change: Partial<RunRequest> = {}): RunRequest {
  return { agent: main, input: 'hello', door: 'http', ...change };
}

async function codeOf(admission: ReturnType<typeof admit>): Promise<string> {
  const answer = await admission;
  return answer.outcome === 'admitted' ? 'admitted' : answer.code;
}

async function put(world: World, tenant: TenantId = acme, change: Partial<RunRequest> = {}) {
  const answer = await admit(world.ctx, principal(tenant), ask(change));
  assert.ok(answer.outcome === 'admitted', JSON.stringify(answer));
  return answer;
}

test('an admitted run is on the queue with everything a worker needs, and listed as accepted', async () => {
  await using world = await newWorld();
  const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;

  const { run, session, isNew } = await put(world, acme, { priority: 1, traceparent, model: 'a/b', limits: { turns: 3 } });

  const [lease] = await world.queue.lease({ worker: 'w', leaseMs: 1000, max: 2 });
  const payload = readPayload(lease!.message);
  assert.equal(isNew, true);
  assert.equal(lease!.message.task_id, taskIdOf(run));
  assert.equal(lease!.message.traceparent, traceparent);
  assert.deepEqual(payload, {
    kind: 'start',
    item: {
      kind: 'agent',
      runId: run,
      sessionId: session,
      tenant: acme,
      agent: main,
      door: 'http',
      principal: { kind: 'service', id: 'tok_1' },
      input: 'hello',
      model: 'a/b',
      limits: { turns: 3, usd: 20 },
    },
    request: payload.kind === 'start' && payload.request,
    policy: sha256('policy'),
  });
  assert.equal(world.runs.get(run)?.state, 'accepted');
  assert.equal(world.ctx.stores(acme).sessions.get(session)?.agent, main);
});

test('a request chooses among the models that a human wrote down and that have a price, and nothing of a refused one is put', async () => {
  await using world = await newWorld();
  const named = ['a/b', 'a/default', 'a/free', 'a/dear', 'A/B', 'a/b ', '', 'toString', '__proto__/x'];

  const codes = await Promise.all(named.map(async (model) => [model, await codeOf(admit(world.ctx, principal(), ask({ model })))]));

  assert.deepEqual(Object.fromEntries(codes), {
    'a/b': 'admitted',
    'a/default': 'admitted',
    'a/free': 'control.model-unpriced',
    'a/dear': 'control.model-not-allowed',
    'A/B': 'control.model-not-allowed',
    'a/b ': 'control.model-not-allowed',
    '': 'control.model-not-allowed',
    toString: 'control.model-not-allowed',
    '__proto__/x': 'control.model-not-allowed',
  });
  assert.equal(
    (await world.queue.counts({ tenant: acme })).reduce((sum, { ready }) => sum + ready, 0),
    2,
  );
  const refusal = await admit(world.ctx, principal(), ask({ model: 'a/dear' }));
  assert.match(
    refusal.outcome === 'refused' ? refusal.message : '',
    /may not name model "a\/dear".* there are a\/b, a\/default, a\/free\. Name one/,
  );
});

test('a model that nobody can open is refused in words that name no key of this machine', async () => {
  const hasPrice = async (): Promise<boolean> => {
    throw new FixRequestError('models.no-key', 'OPENAI_API_KEY is not set in /home/x.');
  };
  await using world = await newWorld({}, { models: async () => ({ own: 'a/b', allowed: ['a/b', 'a/c'], hasPrice }) });

  const refusal = await admit(world.ctx, principal(), ask({ model: 'a/c' }));

  assert.equal(refusal.outcome === 'refused' && refusal.code, 'control.model-unusable');
  assert.ok(!JSON.stringify(refusal).includes('OPENAI_API_KEY'));
});

test('only admin, operator and submitter start runs', async () => {
  await using world = await newWorld();

  const codes = await Promise.all(roles.map(async (role) => [role, await codeOf(admit(world.ctx, principal(acme, [role]), ask()))]));

  assert.deepEqual(Object.fromEntries(codes), {
    admin: 'admitted',
    operator: 'admitted',
    submitter: 'admitted',
    approver: 'control.role-not-allowed',
    viewer: 'control.role-not-allowed',
  });
  assert.equal(await codeOf(admit(world.ctx, principal(acme, []), ask())), 'control.role-not-allowed');
});

test('what cannot start is refused with a code and leaves nothing behind', async () => {
  await using world = await newWorld();
  const theirs = await put(world, beta);
  await world.tenants.create(parseTenantId('asleep'), { version: 1, state: 'suspended' });
  fs.mkdirSync(path.join(world.dir, 'tenants', 'broken'));
  fs.writeFileSync(path.join(world.dir, 'tenants', 'broken', 'tenant.yaml'), 'version: 1\nnonsense: 1\n');
  const cases: readonly (readonly [string, TenantId, Partial<RunRequest>])[] = [
    ['control.unknown-tenant', parseTenantId('ghost'), {}],
    ['control.tenant-suspended', parseTenantId('asleep'), {}],
    ['control.tenant-invalid', parseTenantId('broken'), {}],
    ['control.unknown-agent', acme, { agent: parseAgentId('ghost') }],
    ['control.unknown-session', acme, { session: newSessionId(noon) }],
    ['control.unknown-session', acme, { session: theirs.session }],
    ['control.bad-key', acme, { idempotencyKey: '' }],
    ['control.bad-key', acme, { idempotencyKey: 'a b' }],
    ['control.bad-key', acme, { idempotencyKey: 'a'.repeat(201) }],
  ];

  for (const [code, tenant, change] of cases) {
    const answer = await admit(world.ctx, principal(tenant), ask(change));
    assert.ok(answer.outcome === 'refused' && answer.code === code, `${code}: ${JSON.stringify(answer)}`);
    assert.ok(!answer.message.includes(world.dir), answer.message);
  }
  assert.equal(
    (await world.queue.counts()).reduce((sum, { ready }) => sum + ready, 0),
    1,
  );
  assert.equal(world.runs.list().length, 1);
});

test('a session of another tenant and one that never was are refused with the same words', async () => {
  await using world = await newWorld();
  const theirs = (await put(world, beta)).session;
  const never = newSessionId(noon);

  const [a, b] = await Promise.all(
    [theirs, never].map(async (session) => JSON.stringify(await admit(world.ctx, principal(), ask({ session }))).replace(session, 'ID')),
  );

  assert.equal(a, b);
});

test('one key gives one run: repeated, at the same moment, and over quota by now', async () => {
  await using world = await newWorld({ quotas: { concurrentRuns: 1 } });
  const request = ask({ idempotencyKey: 'order-1' });

  const at = await Promise.all(Array.from({ length: 8 }, async () => await admit(world.ctx, principal(), request)));
  const later = await admit(world.ctx, principal(), request);

  const runs = new Set([...at, later].map((one) => (one.outcome === 'admitted' ? `${one.run} ${one.session}` : one.code)));
  assert.equal(runs.size, 1);
  assert.equal([...at, later].filter((one) => one.outcome === 'admitted' && one.isNew).length, 1);
  assert.equal(world.runs.list().length, 1);
  assert.equal(await codeOf(admit(world.ctx, principal(), ask())), 'control.over-quota');
});

test('sabotage: where the look-up misses, as in a race between two processes, the key still gives one run', async () => {
  await using world = await newWorld();
  const blind: AdmitContext = { ...world.ctx, queue: { ...bound(world.queue), find: async () => undefined } };
  const request = ask({ idempotencyKey: 'order-1' });

  const first = await admit(world.ctx, principal(), request);
  const second = await admit(blind, principal(), request);

  assert.deepEqual(second, { ...first, isNew: false });
  assert.equal(world.runs.list().length, 1);
  assert.equal(await codeOf(admit(blind, principal(), ask({ idempotencyKey: 'order-1', input: 'other' }))), 'control.key-reused');
});

function bound(queue: Queue): AdmitContext['queue'] {
  return {
    counts: async (scope) => await queue.counts(scope),
    find: async (tenant, key) => await queue.find(tenant, key),
    get: async (tenant, task) => await queue.get(tenant, task),
    put: async (tasks) => await queue.put(tasks),
  };
}

test('a key of another tenant, of another door and for another request is another key', async () => {
  await using world = await newWorld();
  const key = { idempotencyKey: 'order-1' };
  const mine = await put(world, acme, key);

  const theirs = await put(world, beta, key);
  const cron = await put(world, acme, { ...key, door: 'cron' });
  const reused = await codeOf(admit(world.ctx, principal(), ask({ ...key, input: 'something else' })));

  assert.equal(new Set([mine.run, theirs.run, cron.run]).size, 3);
  assert.equal(reused, 'control.key-reused');
});

test('over concurrentRuns the refusal names quota, limit and use, also when many come at once; a finished run makes room', async () => {
  await using world = await newWorld({ quotas: { concurrentRuns: 3 } });

  const answers = await Promise.all(Array.from({ length: 20 }, async () => await admit(world.ctx, principal(), ask())));
  const refusal = answers.find((one) => one.outcome === 'refused');
  const [lease] = await world.queue.lease({ worker: 'w', leaseMs: 1000, max: 1 });
  const whileLeased = await codeOf(admit(world.ctx, principal(), ask()));
  await world.queue.ack(lease!);

  assert.equal(answers.filter((one) => one.outcome === 'admitted').length, 3);
  assert.deepEqual(refusal, {
    outcome: 'refused',
    code: 'control.over-quota',
    message:
      'Tenant acme may have 3 runs at the same time and has 3, so nothing more is started (quota concurrentRuns). Wait until one has ended, or have the quota raised.',
    quota: { name: 'concurrentRuns', limit: 3, used: 3 },
  });
  assert.equal(whileLeased, 'control.over-quota');
  assert.equal(await codeOf(admit(world.ctx, principal(), ask())), 'admitted');
});

test('a tenant that chose to queue is accepted up to queuedTasks, and its share bounds what is worked on', async () => {
  await using world = await newWorld({ quotas: { concurrentRuns: 1, queuedTasks: 3 }, overQuota: 'queue' });
  for (const { tenant, share } of sharesOf(world.tenants)) await world.queue.setShare(tenant, share);

  const codes = [];
  for (let i = 0; i < 5; i += 1) codes.push(await codeOf(admit(world.ctx, principal(), ask())));
  const leased = await world.queue.lease({ worker: 'w', leaseMs: 1000, max: 10 });

  assert.deepEqual(codes, ['admitted', 'admitted', 'admitted', 'control.over-quota', 'control.over-quota']);
  assert.equal(leased.length, 1);
});

test('a scheduled run takes no place among the runs of now, but one among the waiting', async () => {
  await using world = await newWorld({ quotas: { concurrentRuns: 0, queuedTasks: 1 } });

  const later = { notBeforeMs: noon + 60_000 };

  assert.equal(await codeOf(admit(world.ctx, principal(), ask())), 'control.over-quota');
  assert.equal(await codeOf(admit(world.ctx, principal(), ask(later))), 'admitted');
  assert.equal(await codeOf(admit(world.ctx, principal(), ask(later))), 'control.over-quota');
});

test('money of the day is counted and a run gets at most what is left; the next day begins anew', async () => {
  await using world = await newWorld({ quotas: { usdPerDay: 2 } });
  const spent = await put(world);
  world.runs.update(spent.run, { costMicroUsd: 1_500_000, endedMs: noon, state: 'done' });

  const [, second] = [await put(world), await put(world, acme, { limits: { usd: 0.1 } })];
  world.runs.update(second.run, { costMicroUsd: 500_000, endedMs: noon, state: 'done' });
  const over = await admit(world.ctx, principal(), ask());
  const otherTenant = await codeOf(admit(world.ctx, principal(beta), ask()));
  world.nowMs += 86_400_000;

  const limits = (await world.queue.list({ tenant: acme, state: 'ready' })).map(({ message }) => {
    const payload = readPayload(message);
    return payload.kind === 'start' ? payload.item.limits?.usd : undefined;
  });
  assert.deepEqual(limits, [2, 0.5, 0.1]);
  assert.deepEqual(over.outcome === 'refused' && over.quota, { name: 'usdPerDay', limit: 2, used: 2 });
  assert.deepEqual([otherTenant, await codeOf(admit(world.ctx, principal(), ask()))], ['admitted', 'admitted']);
});

test('without a quota of its own a tenant spends 20 dollars a day', async () => {
  await using world = await newWorld();
  const { run } = await put(world);
  world.runs.update(run, { costMicroUsd: 20_000_000, endedMs: noon });

  const over = await admit(world.ctx, principal(), ask());

  assert.deepEqual(over.outcome === 'refused' && over.quota, { name: 'usdPerDay', limit: 20, used: 20 });
});

test('over storageMb nothing is admitted', async () => {
  await using world = await newWorld({ quotas: { storageMb: 1 } });
  fs.writeFileSync(path.join(world.dir, 'tenants', 'acme', 'big'), Buffer.alloc(2 * 1024 * 1024, 1));

  const over = await admit(world.ctx, principal(), ask());

  assert.ok(over.outcome === 'refused' && over.quota?.name === 'storageMb' && over.quota.used >= 2);
});

test('a secret in a message is hidden before it is stored anywhere', async () => {
  await using world = await newWorld();

  const { run } = await put(world, acme, { input: 'my password is hunter2', idempotencyKey: 'k' });
  const again = await put(world, acme, { input: 'my password is hunter2', idempotencyKey: 'k' });

  assert.equal(again.run, run);
  assert.equal(world.runs.get(run)?.inputPreview, 'my password is [hidden]');
  for (const name of fs.readdirSync(world.dir).filter((file) => /\.db/.test(file)))
    assert.ok(!fs.readFileSync(path.join(world.dir, name), 'latin1').includes('hunter2'), name);
});

test('a failing list of runs refuses nothing, for the queue holds the run; a failing queue refuses everything', async () => {
  await using world = await newWorld();
  const stores: AdmitContext['stores'] = (tenant) => ({
    ...world.ctx.stores(tenant),
    runs: {
      ...world.ctx.stores(tenant).runs,
      accept: () => {
        throw new Error('disk full');
      },
    },
  });
  const failing: AdmitContext['queue'] = {
    ...bound(world.queue),
    put: async () => await Promise.reject(new RetryableError('state.queue-failed', 'The disk is full.')),
  };

  assert.equal(await codeOf(admit({ ...world.ctx, stores }, principal(), ask())), 'admitted');
  await assert.rejects(admit({ ...world.ctx, queue: failing }, principal(), ask()), { code: 'state.queue-failed' });
  assert.equal(world.runs.list().length, 0);
});

test('a suspended tenant and one with a wrong file get no share of the workers', async () => {
  await using world = await newWorld({ weight: 3, quotas: { concurrentRuns: 4 } });
  await world.tenants.create(parseTenantId('asleep'), { version: 1, state: 'suspended' });
  fs.writeFileSync(path.join(world.dir, 'tenants', 'beta', 'tenant.yaml'), 'version: 1\nweight: many\n');

  assert.deepEqual(
    sharesOf(world.tenants).map(({ tenant, share }) => [tenant, share]),
    [
      ['default', { weight: 1 }],
      ['acme', { weight: 3, maxLeased: 4 }],
      ['asleep', { weight: 1, maxLeased: 0 }],
      ['beta', { maxLeased: 0 }],
    ],
  );
});

function shop(dir: string): Project {
  const lanes = [
    { lane: 'infra', rateLimits: { runsPerMinute: 2, runsPerHour: 3 } },
    { lane: 'content', rateLimits: {} },
  ];
  return { id: 'shop', title: '', repo: 'shop', dir, root: path.dirname(dir), lanes, tags: [] };
}

test('a lane that is not listed for a tenant is refused, and so is a project; what is listed runs in its repo', async () => {
  await using world = await newWorld({}, { projects: async (tenant) => (tenant === acme ? [shop(os.tmpdir())] : []) });
  const code = async (tenant: TenantId, change: Partial<RunRequest>): Promise<string> =>
    await codeOf(admit(world.ctx, principal(tenant), ask(change)));

  const codes = [
    await code(acme, { project: 'shop', lane: 'browser' }),
    await code(acme, { project: 'shop', lane: '__proto__' }),
    await code(acme, { project: 'other', lane: 'infra' }),
    await code(acme, { project: 'shop' }),
    await code(acme, { lane: 'infra' }),
    await code(beta, { project: 'shop', lane: 'infra' }),
  ];
  const { run } = await put(world, acme, { project: 'shop', lane: 'infra' });

  assert.deepEqual(codes, [
    'control.lane-not-allowed',
    'control.lane-not-allowed',
    'control.project-not-allowed',
    'control.no-lane',
    'control.no-lane',
    'control.project-not-allowed',
  ]);
  const leases = await world.queue.lease({ worker: 'w', leaseMs: 1000, max: 9 });
  const payload = readPayload(leases[0]!.message);
  const item = payload.kind === 'start' ? payload.item : undefined;
  assert.equal(leases.length, 1);
  assert.deepEqual([item?.project, item?.lane, item?.workspace], ['shop', 'infra', path.basename(os.tmpdir())]);
  assert.deepEqual([world.runs.get(run)?.project, world.runs.get(run)?.lane], ['shop', 'infra']);
});

test('a lane starts as many runs in a minute and an hour as it may, also when many ask at once, and each lane has its own', async () => {
  await using world = await newWorld({}, { projects: async () => [shop(os.tmpdir())] });
  const infra = { project: 'shop', lane: 'infra' };
  const many = async (): Promise<string[]> =>
    await Promise.all(Array.from({ length: 5 }, async () => await codeOf(admit(world.ctx, principal(), ask(infra)))));

  const first = await many();
  world.nowMs += 61_000;
  const second = await many();
  const content = await codeOf(admit(world.ctx, principal(), ask({ ...infra, lane: 'content' })));
  const other = await codeOf(admit(world.ctx, principal(beta), ask(infra)));
  world.nowMs += 3_600_000;
  const later = await many();

  const admitted = (codes: readonly string[]): number => codes.filter((code) => code === 'admitted').length;
  assert.deepEqual([admitted(first), admitted(second), admitted(later), content, other], [2, 1, 2, 'admitted', 'admitted']);
  assert.ok([...first, ...second].every((code) => code === 'admitted' || code === 'control.over-rate'));
});

test('a lane with a rate of 0 is refused as closed, not as busy, and a known key still finds its run there', async () => {
  const lane = { project: 'shop', lane: 'infra' };
  const rates = { infra: { runsPerMinute: 2 } as Record<string, number> };
  const place = (): Project => ({ ...shop(os.tmpdir()), lanes: [{ lane: 'infra', rateLimits: rates.infra }] });
  await using world = await newWorld({}, { projects: async () => [place()] });
  const { run } = await put(world, acme, { ...lane, idempotencyKey: 'k1' });

  for (const rateLimits of [{ runsPerMinute: 0 }, { runsPerMinute: 5, runsPerHour: 0 }]) {
    rates.infra = rateLimits;
    const refusal = await admit(world.ctx, principal(), ask(lane));
    const again = await put(world, acme, { ...lane, idempotencyKey: 'k1' });

    assert.ok(refusal.outcome === 'refused');
    assert.equal(refusal.code, 'control.lane-closed');
    assert.match(refusal.message, /^Lane infra of project shop starts nothing, because its runsPer(Minute|Hour) is 0\./);
    assert.deepEqual([again.run, again.isNew], [run, false]);
  }
});

test('over the rate a known key still finds its run, and the same key for another lane is another request', async () => {
  await using world = await newWorld({}, { projects: async () => [shop(os.tmpdir())] });
  const infra = { project: 'shop', lane: 'infra', idempotencyKey: 'k1' };
  const { run } = await put(world, acme, infra);
  await put(world, acme, { ...infra, idempotencyKey: 'k2' });

  const again = await put(world, acme, infra);

  assert.deepEqual([again.run, again.isNew], [run, false]);
  assert.equal(await codeOf(admit(world.ctx, principal(), ask({ ...infra, lane: 'content' }))), 'control.key-reused');
  assert.equal(await codeOf(admit(world.ctx, principal(), ask({ ...infra, idempotencyKey: 'k3' }))), 'control.over-rate');
});

test('a repo that is reached through a link starts nothing, whoever may change the link, and where it lies is not told', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'linked-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  fs.mkdirSync(path.join(root, 'real/deep'), { recursive: true });
  fs.symlinkSync('real', path.join(root, 'linked'));
  const code = async (dir: string): Promise<readonly [string, string]> => {
    await using world = await newWorld({}, { projects: async () => [{ ...shop(path.join(root, dir)), root }] });
    const answer = await admit(world.ctx, principal(), ask({ project: 'shop', lane: 'infra' }));
    return answer.outcome === 'refused' ? [answer.code, answer.message] : [answer.outcome, ''];
  };

  const answers = await Promise.all(['real', 'real/deep', 'linked', 'linked/deep'].map(code));

  assert.deepEqual(
    answers.map(([one]) => one),
    ['admitted', 'admitted', 'control.project-unusable', 'control.project-unusable'],
  );
  assert.match(answers[2]![1], /^The repo of project shop is reached through a link, and whoever .*\. Ask who runs this installation/);
  assert.ok(!JSON.stringify(answers).includes(root));
});

test('an input that the queue does not take is refused in words for who asks, and leaves nothing behind', async () => {
  await using world = await newWorld();

  const answer = await admit(world.ctx, principal(), ask({ input: 'x'.repeat(1024 * 1024), idempotencyKey: 'k' }));

  assert.ok(answer.outcome === 'refused');
  assert.deepEqual([answer.code, /task|payload|queue/.test(answer.message)], ['control.input-too-large', false]);
  assert.deepEqual([await world.queue.counts(), world.runs.list({ tenant: acme })], [[], []]);
  assert.equal(await codeOf(admit(world.ctx, principal(), ask({ input: 'x', idempotencyKey: 'k' }))), 'admitted');
});

test('a single project, lane, model or run is told as one', async () => {
  const lane = { lane: 'infra', rateLimits: { runsPerMinute: 1 } };
  await using world = await newWorld({}, { projects: async () => [{ ...shop(os.tmpdir()), lanes: [lane] }] });
  const infra = { project: 'shop', lane: 'infra' };
  await put(world, acme, infra);
  const said = async (change: Partial<RunRequest>): Promise<string> => {
    const answer = await admit(world.ctx, principal(), ask(change));
    return answer.outcome === 'refused' ? answer.message : answer.outcome;
  };

  await using single = await newWorld({}, { models: async () => ({ own: 'a/b', allowed: ['a/b'], hasPrice: async () => true }) });
  const dear = await admit(single.ctx, principal(), ask({ model: 'a/dear' }));

  assert.match(dear.outcome === 'refused' ? dear.message : '', /, and there is a\/b\. Name one/);
  assert.match(await said({ ...infra, project: 'x' }), /no project "x": there is shop\. Name/);
  assert.match(await said({ ...infra, lane: 'x' }), /for tenant acme: there is infra\. Name/);
  assert.match(await said(infra), /may start 1 run in a minute and started 1,/);
});

test('a wrong registry and a repo that is gone start nothing for a project, say nothing of this machine, and hinder no other run', async () => {
  const broken = async (): Promise<never> => {
    throw new FixRequestError('control.wider-projects', '/home/x/projects.yaml:7 is wrong.');
  };
  await using world = await newWorld({}, { projects: broken });
  await using gone = await newWorld({}, { projects: async () => [shop('/no/such/folder')] });
  const infra = ask({ project: 'shop', lane: 'infra' });

  const answers = [await admit(world.ctx, principal(), infra), await admit(gone.ctx, principal(), infra)];

  assert.deepEqual(
    answers.map((answer) => answer.outcome === 'refused' && answer.code),
    ['control.projects-invalid', 'control.project-unusable'],
  );
  assert.ok(!/home\/x|no\/such/.test(JSON.stringify(answers)));
  assert.equal(await codeOf(admit(world.ctx, principal(), ask())), 'admitted');
});

test('a run is announced before it is on the queue, with the time from before anything was looked at', async () => {
  const looks: number[] = [];
  const announced: (readonly [sinceMs: number, onQueue: boolean])[] = [];
  await using world = await newWorld(
    {},
    {
      prepare: async () => {
        looks.push(monotonicMs());
        return { policy: sha256('policy') };
      },
      arrivals: { add: (run, sinceMs) => void announced.push([sinceMs, world.runs.get(run) !== undefined]) },
    },
  );

  await put(world);

  assert.equal(announced.length, 1);
  assert.ok(announced[0]![0] <= looks[0]!);
  assert.equal(announced[0]![1], false);
});
