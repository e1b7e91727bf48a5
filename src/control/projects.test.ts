import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import type { Project } from '../contracts/project.ts';
import { createHome } from '../state/home.ts';
import { readProjects } from './projects.ts';

const platform = `version: 1
projects:
  shop:
    title: The shop
    tenants: [default, acme]
    repo: repos/shop
    rateLimits: { runsPerHour: 100 }
    lanes:
      infra: { rateLimits: { runsPerMinute: 5 } }
      content: {}
    tags: [web]
  own:
    repo: repos/own
    lanes: { infra: {} }
`;

/** What a tenant has, or the sentence of the refusal. */
async function read(tenant: string, files: { readonly platform?: string; readonly own?: string }): Promise<readonly Project[] | string> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'projects-'));
  const home = createHome(root);
  const id = parseTenantId(tenant);
  if (files.platform !== undefined) fs.writeFileSync(path.join(home.dir, 'projects.yaml'), files.platform);
  fs.mkdirSync(home.tenantDir(id), { recursive: true });
  if (files.own !== undefined) fs.writeFileSync(path.join(home.tenantDir(id), 'projects.yaml'), files.own);
  try {
    const projects = await readProjects(home, id);
    return projects.map((project) => ({ ...project, dir: path.relative(root, project.dir), root: path.relative(root, project.root) }));
  } catch (error) {
    return (error as Error).message;
  }
}

async function refusal(...given: Parameters<typeof read>): Promise<string> {
  const answer = await read(...given);
  return typeof answer === 'string' ? answer : 'taken';
}

test('without a registry there is no project, and a project of the platform is tenant default’s unless it names others', async () => {
  const ids = async (tenant: string): Promise<readonly string[]> =>
    ((await read(tenant, { platform })) as readonly Project[]).map(({ id }) => id);

  assert.deepEqual(await read('default', {}), []);
  assert.deepEqual([await ids('default'), await ids('acme'), await ids('beta')], [['own', 'shop'], ['shop'], []]);
});

test('a project lies in its tenant’s own root, and each lane has the lowest of all rates', async () => {
  const [shop] = (await read('acme', { platform })) as readonly Project[];

  assert.deepEqual(shop, {
    id: 'shop',
    title: 'The shop',
    repo: 'repos/shop',
    dir: 'workspaces/acme/repos/shop',
    root: 'workspaces/acme',
    lanes: [
      { lane: 'infra', rateLimits: { runsPerMinute: 5, runsPerHour: 100 } },
      { lane: 'content', rateLimits: { runsPerHour: 100 } },
    ],
    tags: ['web'],
  });
});

test('a tenant’s file narrows: fewer projects, lanes and runs, and a folder beneath', async () => {
  const own = `version: 1
projects:
  shop:
    repo: repos/shop/api
    rateLimits: { runsPerHour: 10 }
    lanes: { infra: { rateLimits: { runsPerMinute: 1 } } }
`;

  const [shop, ...others] = (await read('acme', { platform, own })) as readonly Project[];

  assert.deepEqual(others, []);
  assert.deepEqual(
    [shop?.dir, shop?.lanes],
    ['workspaces/acme/repos/shop/api', [{ lane: 'infra', rateLimits: { runsPerMinute: 1, runsPerHour: 10 } }]],
  );
  assert.deepEqual(await read('default', { platform, own: 'version: 1\nprojects: {}\n' }), []);
});

test('whatever a tenant’s file adds to the platform’s is refused with both lines, all of it at once', async () => {
  const own = `version: 1
projects:
  own: {}
  shop:
    repo: repos/other
    rateLimits: { runsPerHour: 101 }
    lanes:
      browser: {}
      infra: { rateLimits: { runsPerMinute: 6 } }
      content: { rateLimits: { runsPerHour: 1000 } }
`;

  const said = await refusal('acme', { platform, own });

  for (const sentence of [
    'tenants/acme/projects.yaml:3: project own is not one that projects.yaml:12 gives to tenant acme',
    'tenants/acme/projects.yaml:5: repo repos/other of project shop lies outside repos/shop, the repo at projects.yaml:6',
    'tenants/acme/projects.yaml:8: lane browser of project shop is not among those at projects.yaml:8 (infra, content)',
    'tenants/acme/projects.yaml:9: runsPerMinute 6 of lane infra is more than the 5 at projects.yaml:9',
    'tenants/acme/projects.yaml:6: runsPerHour 101 of lane content is more than the 100 at projects.yaml:7',
    'tenants/acme/projects.yaml:10: runsPerHour 1000 of lane content is more than the 100 at projects.yaml:7',
    'only narrows what the platform gives',
  ])
    assert.ok(said.includes(sentence), `${sentence}\n--\n${said}`);
});

test('a folder that leads out of the tenant’s root is refused, in every spelling, and one that only begins alike too', async () => {
  for (const repo of ['../beta/repos/shop', '/srv/shop', 'repos/../../..', '../acme2/shop']) {
    const said = await refusal('acme', { platform: platform.replace('repo: repos/shop', `repo: ${repo}`) });
    assert.match(said, /lies outside the root of tenant acme/, repo);
  }
  for (const repo of ['repos/shop2', 'repos/shop/../own', '../../../repos/shop', '/']) {
    const said = await refusal('acme', { platform, own: `version: 1\nprojects: { shop: { repo: '${repo}' } }\n` });
    assert.match(said, /lies outside repos\/shop/, repo);
  }
});

test('a registry is strict: unknown fields, names that are none and rates that are no counts are refused with their line', async () => {
  for (const [bad, line] of [
    ['    repos: [a]\n', 4],
    ['    repo: a\n    lanes: { Infra: {} }\n', 5],
    ['    repo: a\n    lanes: { infra: { rateLimits: { runsPerHour: -1 } } }\n', 5],
    ['    repo: a\n    lanes: { infra: { rateLimits: { runsPerDay: 1 } } }\n', 5],
    ['    lanes: { infra: {} }\n', 3],
  ] as const)
    assert.match(
      await refusal('default', { platform: `version: 1\nprojects:\n  shop:\n${bad}` }),
      new RegExp(`projects\\.yaml:${line}`),
      bad,
    );
});

test('sabotage: the same values are taken where the platform gives as much', async () => {
  const wide = platform.replace('runsPerHour: 100', 'runsPerHour: 101').replace('content: {}', 'content: {}\n      browser: {}');
  const own = 'version: 1\nprojects: { shop: { rateLimits: { runsPerHour: 101 }, lanes: { browser: {} } } }\n';

  assert.equal(typeof (await read('acme', { platform, own })), 'string');
  assert.equal(((await read('acme', { platform: wide, own })) as readonly Project[])[0]?.lanes[0]?.rateLimits.runsPerHour, 101);
});
