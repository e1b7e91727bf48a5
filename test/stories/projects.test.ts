import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { allGrants, newInstallation, type Document, type Installation } from './installation.ts';
import { serveHome } from './served.ts';

const registry = `version: 1
projects:
  shop:
    repo: repos/shop
    lanes:
      infra: { rateLimits: { runsPerHour: 2 } }
      content: {}
    tags: [web]
`;

function prepare(one: Installation): void {
  one.write('.clawhold/projects.yaml', registry);
  fs.mkdirSync(path.join(one.root, 'repos/shop'), { recursive: true });
}

async function startsOf(one: Installation): Promise<readonly Document[]> {
  const { stdout } = await one.cli(['audit', 'query', '--type', 'run.start', '--json']);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

test('a run for a project works in its repo through HTTP and the command line, is recorded with project and lane, and other lanes are refused', async () => {
  const write = { toolCalls: [{ name: 'fs_write', args: { path: 'note.md', content: 'hello' } }] };
  await using model = await startOpenAiServer({ turns: [write, { text: 'written' }, { text: 'nothing to do' }] });
  using one = newInstallation({ openAi: model.baseUrl, agentYaml: allGrants });
  prepare(one);
  await using served = await serveHome(one);

  const place = { agent: 'main', input: 'Write note.md with hello.', project: 'shop', lane: 'infra' };
  const made = await served.ask('POST', '/api/v1/runs', place);
  const ended = await served.reached(made.json.run, 'done', 'failed');
  const asked = await one.cli(['ask', 'Look.', '--project', 'shop', '--lane', 'infra', '--json']);
  const told = await Promise.all(
    [made.json.run, asked.json.run].flatMap((run) =>
      ['', '/events', '/artifacts/run.json'].map((rest) => served.ask('GET', `/api/v1/runs/${run}${rest}`)),
    ),
  );
  const records = await served.ask('GET', '/api/v1/ledger?limit=500');
  const refused = await Promise.all([
    served.ask('POST', '/api/v1/runs', { ...place, lane: 'browser' }),
    served.ask('POST', '/api/v1/runs', { ...place, project: 'other' }),
    served.ask('POST', '/api/v1/runs', { ...place, lane: undefined }),
    served.ask('POST', '/api/v1/runs', place),
    served.ask('POST', '/api/v1/runs', { agent: 'main', input: 'x', workspace: '/etc' }),
  ]);
  const byHand = await Promise.all([
    one.cli(['ask', 'x', '--project', 'shop', '--lane', 'browser', '--json']),
    one.cli(['ask', 'x', '--project', 'shop', '--lane', 'infra', '--json']),
    one.cli(['ask', 'x', '--project', 'shop', '--lane', 'content', '--workspace', '.', '--json']),
  ]);
  const shown = await served.ask('GET', '/api/v1/projects');
  const listed = await one.cli(['runs', 'list', '--json']);

  assert.equal(ended.state, 'done', JSON.stringify(ended));
  assert.equal(one.read('repos/shop/note.md'), 'hello');
  assert.deepEqual(
    [...told, records].filter(({ status, json }) => status !== 200 || JSON.stringify(json).includes(one.root)),
    [],
  );
  assert.equal(fs.existsSync(path.join(one.workspace, 'note.md')), false);
  assert.deepEqual([ended.project, ended.lane, asked.json.ok], ['shop', 'infra', true]);
  assert.deepEqual(
    refused.map(({ status, json }) => [status, json.code]),
    [
      [403, 'control.lane-not-allowed'],
      [403, 'control.project-not-allowed'],
      [400, 'control.no-lane'],
      [429, 'control.over-rate'],
      [400, 'gateway.bad-request'],
    ],
  );
  assert.deepEqual(
    byHand.map(({ code, json }) => [code, json.error.code]),
    [
      [2, 'control.lane-not-allowed'],
      [2, 'control.over-rate'],
      [2, 'cli.two-workspaces'],
    ],
  );
  assert.deepEqual(shown.json.projects[0].lanes[0], { lane: 'infra', rateLimits: { runsPerHour: 2 } });
  assert.ok(!JSON.stringify(shown.json).includes('repos'));
  assert.deepEqual(
    (await startsOf(one)).map(({ project, lane }) => [project, lane]),
    [
      ['shop', 'infra'],
      ['shop', 'infra'],
    ],
  );
  assert.deepEqual(
    listed.json.runs.map(({ project, lane }: Document) => [project, lane]),
    [
      ['shop', 'infra'],
      ['shop', 'infra'],
    ],
  );
  assert.equal((await one.cli(['audit', 'verify', '--bundles'])).code, 0);
});

test('a repo that becomes a link after its run was admitted ends the run, and nobody is told where it lies', async () => {
  await using model = await startOpenAiServer({ respond: () => ({ text: 'done' }) });
  using one = newInstallation({ openAi: model.baseUrl, agentYaml: allGrants });
  prepare(one);
  await using served = await serveHome(one);
  const place = { agent: 'main', input: 'Look.', project: 'shop', lane: 'infra' };
  const repo = path.join(one.root, 'repos/shop');

  await served.ask('POST', '/api/v1/queue/pause', {});
  const made = await served.ask('POST', '/api/v1/runs', place);
  fs.renameSync(repo, `${repo}-was`);
  fs.symlinkSync('shop-was', repo);
  await served.ask('POST', '/api/v1/queue/resume', {});
  const ended = await served.reached(made.json.run, 'done', 'failed');
  const refused = await Promise.all([
    served.ask('POST', '/api/v1/runs', place),
    served.ask('POST', '/api/v1/schedules', {
      id: 'j',
      agent: 'main',
      message: 'x',
      when: { every: '1h' },
      project: 'shop',
      lane: 'infra',
    }),
  ]);
  const doctor = await one.cli(['doctor', '--json']);

  assert.equal(ended.state, 'failed');
  assert.match(ended.reason, /^The repo of the project is reached through a link, .* \(worker\.linked-repo\)$/);
  assert.deepEqual(
    refused.map(({ status, json }) => [status, json.code]),
    [
      [409, 'control.project-unusable'],
      [409, 'control.project-unusable'],
    ],
  );
  assert.ok(!JSON.stringify([ended, refused]).includes(one.root));
  assert.match(doctor.json.checks.find(({ name }: Document) => name === 'projects').message, /through a link/);
  assert.deepEqual(model.requests, []);
});

test('a run that waits while its lane is taken away does not begin, and one whose lane stays does', async () => {
  await using model = await startOpenAiServer({ respond: () => ({ text: 'done' }) });
  using one = newInstallation({ openAi: model.baseUrl, agentYaml: allGrants });
  prepare(one);
  await using served = await serveHome(one);

  await served.ask('POST', '/api/v1/queue/pause', {});
  const [lost, kept] = [
    await served.post('Look.', { project: 'shop', lane: 'content' }),
    await served.post('Look.', { project: 'shop', lane: 'infra' }),
  ];
  one.write('.clawhold/projects.yaml', registry.replace('      content: {}\n', ''));
  await served.ask('POST', '/api/v1/queue/resume', {});
  const ends = [await served.reached(lost, 'done', 'failed'), await served.reached(kept, 'done', 'failed')];

  assert.deepEqual(
    ends.map(({ state }) => state),
    ['failed', 'done'],
  );
  assert.match(ends[0]?.reason, /has no lane "content" .*\(control\.lane-not-allowed\)$/);
  assert.equal(model.requests.length, 1);
});

test('a schedule by hand or in agent.yaml works for a project, and one for a lane that is not listed is not made', async () => {
  await using model = await startOpenAiServer({ respond: () => ({ text: 'done' }) });
  const schedule = 'task: Look around.\nschedule:\n  when: { every: 1s }\n  project: shop\n  lane: content\n';
  using one = newInstallation({ openAi: model.baseUrl, agentYaml: `grants:\n  fs.read: {}\n${schedule}` });
  prepare(one);
  const flags = ['cron', 'add', '--id', 'daily', '--every', '1s', '--message', 'Look.', '--project', 'shop', '--json'];

  const refused = await one.cli([...flags, '--lane', 'browser']);
  const added = await one.cli([...flags, '--lane', 'content']);
  await using served = await serveHome(one);
  const overHttp = await served.ask('POST', '/api/v1/schedules', {
    id: 'other',
    agent: 'main',
    message: 'x',
    when: { every: '1h' },
    project: 'shop',
    lane: 'browser',
  });
  let doors = new Set<string>();
  while (doors.size < 2) {
    const starts = fs.existsSync(path.join(one.home, 'tenants/default/ledger')) ? await startsOf(one) : [];
    doors = new Set(starts.filter(({ project, lane }) => project === 'shop' && lane === 'content').map(({ principal }) => principal.id));
  }

  assert.deepEqual([refused.code, refused.json.error.code], [2, 'control.lane-not-allowed']);
  assert.equal(added.code, 0, added.stderr);
  assert.deepEqual([overHttp.status, overHttp.json.code], [403, 'control.lane-not-allowed']);
  assert.deepEqual([...doors].toSorted(), ['schedule:daily', 'schedule:main']);
});

test('a webhook, a step of a workflow and a client of the OpenAI door work for a project, and for no lane that is not listed', async () => {
  await using model = await startOpenAiServer({ respond: () => ({ text: 'done' }) });
  const key = 'the shared key of this story'; // not-a-secret: made up for this test
  const trigger = (lane: string): string => `{ agent: main, secret: HOOK_KEY, project: shop, lane: ${lane} }`;
  using one = newInstallation({
    openAi: model.baseUrl,
    clawholdYaml: `model: test/model\nserve: { webhooks: { triggers: { build: ${trigger('content')}, wrong: ${trigger('browser')} } } }\n`,
    env: { HOOK_KEY: key },
  });
  prepare(one);
  const steps = 'steps:\n  - { agent: main, message: One., project: shop, lane: content }\n  - { agent: main, message: Two. }\n';
  one.write('.clawhold/tenants/default/workflows/two.yaml', `version: 1\n${steps}`);
  one.write('.clawhold/tenants/default/workflows/half.yaml', 'version: 1\nsteps: [{ agent: main, message: One., project: shop }]\n');
  await using served = await serveHome(one);
  const hook = async (name: string): Promise<number> => {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const sign = `sha256=${createHmac('sha256', key).update(`${timestamp}.${name}`).digest('hex')}`;
    const headers = { 'x-clawhold-timestamp': timestamp, 'x-clawhold-signature': sign };
    return (await fetch(`${served.url}/hooks/${name}`, { method: 'POST', headers, body: name })).status;
  };
  const chat = async (lane: string): Promise<number> =>
    (
      await served.ask(
        'POST',
        '/v1/chat/completions',
        { model: 'agent/main', messages: [{ role: 'user', content: 'hello' }] },
        { 'x-clawhold-project': 'shop', 'x-clawhold-lane': lane },
      )
    ).status;

  const statuses = [await hook('build'), await hook('wrong'), await chat('content'), await chat('browser')];
  const passage = await served.ask('POST', '/api/v1/workflows/two/run', {});
  const half = await served.ask('POST', '/api/v1/workflows/half/run', {});
  let state = 'running';
  while (state === 'running') state = (await served.ask('GET', `/api/v1/passages/${passage.json.passage.id}`)).json.passage.state;
  const { runs } = (await served.ask('GET', '/api/v1/runs')).json;
  while (runs.length > 0) if ((await served.reached(runs.pop().id, 'done', 'failed')).state !== 'done') assert.fail('a run failed');

  assert.deepEqual([...statuses, half.status, half.json.code], [202, 503, 200, 403, 409, 'gateway.workflow-invalid']);
  assert.equal(state, 'done');
  assert.deepEqual(
    (await startsOf(one)).map(({ project, lane }) => [project, lane]),
    [...Array.from({ length: 3 }, () => ['shop', 'content']), [undefined, undefined]],
  );
});

test('projects are listed, shown and validated, and a tenant’s file that widens is told with both lines', async () => {
  using one = newInstallation();
  prepare(one);

  const list = await one.cli(['projects', 'list', '--json']);
  const show = await one.cli(['projects', 'show', 'shop']);
  const unknown = await one.cli(['projects', 'show', 'other', '--json']);
  const valid = await one.cli(['projects', 'validate', '--json']);
  one.write('.clawhold/tenants/default/projects.yaml', 'version: 1\nprojects:\n  shop:\n    lanes: { browser: {} }\n');
  const wider = await one.cli(['projects', 'validate']);
  const doctor = await one.cli(['doctor', '--json']);
  const config = await one.cli(['config', 'validate']);

  assert.deepEqual(
    list.json.projects.map(({ id }: Document) => id),
    ['shop'],
  );
  assert.match(show.stdout, /lane {4}infra: at most 2 runs an hour\n/);
  assert.deepEqual([unknown.code, unknown.json.error.code], [2, 'cli.unknown-project']);
  assert.deepEqual(valid.json.tenants, [{ tenant: 'default', projects: 1 }]);
  assert.equal(wider.code, 2);
  assert.match(wider.stderr, /tenants\/default\/projects\.yaml:4: lane browser .* projects\.yaml:5 \(infra, content\)/);
  assert.equal(doctor.json.checks.find(({ name }: Document) => name === 'projects').status, 'fail');
  assert.equal(config.code, 2);
});
