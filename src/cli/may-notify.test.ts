import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { createHome } from '../state/home.ts';
import { makeAgent } from './make-agent.ts';
import { checkNotifyUrl, notifyRights } from './open-notify-post.ts';
import { wire } from './wire.ts';

const tenant = parseTenantId('default');
const main = parseAgentId('main');
const loopback = ['hook.test:8080', 'other.test:9090'];

interface World {
  /** `taken`, or the code of the refusal. */
  readonly check: (url: string) => Promise<string>;
  readonly write: (file: string, text: string) => void;
}

async function newWorld(agentYaml: string): Promise<World> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'notify-'));
  const home = createHome(root);
  await makeAgent(home, { tenant, agent: main, template: 'scribe' });
  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(home.dir, file)), { recursive: true });
    fs.writeFileSync(path.join(home.dir, file), text);
  };
  write('tenants/default/agents/main/agent.yaml', `version: 1\n${agentYaml}`);
  const check = async (url: string): Promise<string> => {
    const app = wire({ env: { CLAWHOLD_CONFIG_HOME: path.join(root, 'user') }, cwd: root });
    try {
      await checkNotifyUrl(url, notifyRights(app, main, loopback));
      return 'taken';
    } catch (error) {
      return String((error as { readonly code?: string }).code);
    }
  };
  return { check, write };
}

test('an output goes to a server of this machine only where the agent’s own grants let it POST there', async () => {
  const granted = await newWorld("grants:\n  http.fetch: { hosts: ['hook.test:8080'], methods: [POST] }\n");
  const readOnly = await newWorld("grants:\n  http.fetch: { hosts: ['hook.test:8080'], methods: [GET] }\n");
  const none = await newWorld('grants: {}\n');

  assert.equal(await granted.check('http://hook.test:8080/in'), 'taken');
  assert.equal(await granted.check('https://hook.test:8080/in'), 'taken');
  assert.equal(await granted.check('http://other.test:9090/in'), 'cli.notify-not-granted');
  assert.equal(await readOnly.check('http://hook.test:8080/in'), 'cli.notify-not-granted');
  for (const scheme of ['http', 'https']) assert.equal(await none.check(`${scheme}://hook.test:8080/in`), 'cli.notify-not-granted');
  assert.equal(await none.check('https://example.org/in'), 'taken');
});

test('no spelling of a server of this machine leads there without a grant', async () => {
  const world = await newWorld('grants: {}\n');
  const spellings = [
    'http://127.0.0.1:8080/',
    'https://127.0.0.1:8080/',
    'https://127.1:8080/',
    'https://2130706433:8080/',
    'https://0x7f000001:8080/',
    'https://0177.0.0.1:8080/',
    'https://[::1]:8080/',
    'https://[::ffff:127.0.0.1]:8080/',
    'https://localhost:8080/',
    'https://HOOK.TEST:8080/',
    'https://hook.test.:8080/',
    'https://hook.test:08080/',
    'https://user@hook.test:8080/',
    'https://example.org@hook.test:8080/',
    'https://hook\u3002test:8080/',
    'https://hook.test:8080\\@example.org/', // not-a-secret: a spelling of an address
    'https://①27.0.0.1:8080/',
    ' https://hook.test:8080/',
    'https:hook.test:8080/',
    'https:///hook.test:8080/',
  ];

  const taken = (await Promise.all(spellings.map(async (url) => [url, await world.check(url)] as const))).filter(
    ([, code]) => code === 'taken',
  );

  assert.deepEqual(taken, []);
});

test('sabotage: with a deny of the platform above the grant nothing is sent', async () => {
  const world = await newWorld("grants:\n  http.fetch: { hosts: ['hook.test:8080'], methods: [POST] }\n");
  world.write(
    'policies/platform.yaml',
    "version: 1\nrules:\n  - { id: all, allow: '*' }\n  - { id: no-hook, deny: http.fetch, hosts: ['hook.test:8080'] }\n",
  );

  assert.equal(await world.check('http://hook.test:8080/in'), 'cli.notify-not-granted');
});
