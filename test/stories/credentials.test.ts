import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation, type Document, type Installation } from './installation.ts';

const value = 'made-up-value-1-of-this-test'; // not-a-secret: made up

interface World {
  readonly one: Installation;
  readonly at: string;
  /** Authorization headers that the service got. */
  readonly seen: string[];
  /** What the service does before it answers. */
  onRequest: (request: IncomingMessage) => Promise<void>;
  /** Runs an agent that asks the service so many times; what the model was told of each. */
  fetchTimes(count: number): Promise<{ readonly told: readonly string[]; readonly run: string }>;
  events(run: string): Promise<readonly Document[]>;
}

/** An agent, a service on this machine that wants a key, and the key, which the agent never sees. */
async function open(t: TestContext): Promise<World> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization ?? '');
    void world.onRequest(request).then(() => response.end('welcome'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `api.test:${(server.address() as AddressInfo).port}`;
  const one = newInstallation({ agentYaml: `grants:\n  http.fetch: { hosts: ["${at}"] }\n` });
  t.after(() => {
    server.close();
    one[Symbol.dispose]();
  });
  one.write('.clawhold/tenants/default/agents/main/TOOLS.md', 'The header is authorization: Bearer {{secret:API_KEY}}\n');
  const kept = await one.cli(['secrets', 'set', 'API_KEY', '--host', at], { stdin: `${value}\n` });
  assert.equal(kept.code, 0, kept.stderr);
  const call = { name: 'http_fetch', args: { url: `http://${at}/a`, headers: { authorization: 'Bearer {{secret:API_KEY}}' } } };
  const world: World = {
    one,
    at,
    seen,
    onRequest: async () => {},
    async fetchTimes(count) {
      const turns = Array.from({ length: count }, () => ({ text: '', toolCalls: [call] }));
      await using model = await startOpenAiServer({ turns: [...turns, { text: 'done' }] });
      one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${model.baseUrl} }\n`);
      one.write('.clawhold/clawhold.yaml', `version: 1\nmodel: test/model\negress: { loopback: ["${at}"] }\n`);
      const finished = await one.cli(['ask', 'work', '--json']);
      assert.equal(finished.code, 0, finished.stdout + finished.stderr);
      const messages = (model.requests.at(-1)?.body['messages'] ?? []) as Document[];
      return {
        told: messages.filter(({ role }) => role === 'tool').map(({ content }) => content as string),
        run: finished.json.run as string,
      };
    },
    async events(run) {
      const { stdout } = await one.cli(['audit', 'query', '--run', run, '--json']);
      return stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    },
  };
  return world;
}

test('each request of a run that carries a secret has a token of its own, asked for, given and spent before it leaves', async (t) => {
  const world = await open(t);

  const { told, run } = await world.fetchTimes(2);

  assert.match(told[1] ?? '', /welcome/);
  assert.deepEqual(world.seen, [`Bearer ${value}`, `Bearer ${value}`]);
  const events = await world.events(run);
  const types = events.map(({ type }) => type as string).filter((type) => /^(broker|egress)\./.test(type));
  const once = ['broker.request', 'broker.grant', 'broker.use', 'egress.open', 'egress.close'];
  assert.deepEqual(types, [...once, ...once]);
  for (const event of events.filter(({ type }) => String(type).startsWith('broker.')))
    assert.partialDeepStrictEqual(event, { tool: 'http.fetch', tenant: 'default', run, agent: 'main' });
  const uses = events.filter(({ type }) => type === 'broker.use');
  assert.notEqual(uses[0]?.grant, uses[1]?.grant);
  assert.equal((await world.one.cli(['audit', 'verify', '--schema'])).code, 0);
});

test('a changed broker.yaml acts on the next request of a running run: it does not leave, and that is recorded', async (t) => {
  const world = await open(t);
  const file = '.clawhold/tenants/default/broker.yaml';
  world.one.write(file, `version: 1\ntools:\n  http.fetch: { hosts: ["${world.at}"], secret: API_KEY, risk: low }\n`);
  world.onRequest = async () => {
    await Promise.resolve();
    world.one.write(file, 'version: 1\ntools: {}\n');
  };

  const { told, run } = await world.fetchTimes(2);

  assert.match(told[0] ?? '', /welcome/);
  assert.match(told[1] ?? '', /did not leave: No rule of tenant default allows the tool http.fetch the secret API_KEY/);
  assert.equal(world.seen.length, 1);
  const denial = (await world.events(run)).find(({ type }) => type === 'broker.denial');
  assert.equal(denial?.code, 'broker.tool-not-allowed');
  const listed = (await world.one.cli(['broker', 'grants', '--json'])).json.grants as Document[];
  assert.deepEqual(
    listed.map(({ state }) => state as string),
    ['used', 'broker.tool-not-allowed'],
  );
});

test('what a human takes back with a command is refused at once in the process of a running run, until it is given back', async (t) => {
  const world = await open(t);
  world.onRequest = async () => {
    const { code, stderr } = await world.one.cli(['broker', 'revoke', '--tool', 'http.fetch', '--reason', 'looks odd']);
    assert.equal(code, 0, stderr);
  };

  const { told } = await world.fetchTimes(2);
  world.onRequest = async () => {};
  const still = await world.fetchTimes(1);
  const restored = await world.one.cli(['broker', 'restore', '--tool', 'http.fetch']);
  const after = await world.fetchTimes(1);

  assert.match(told[1] ?? '', /A human took it back: looks odd.*broker\.revoked/);
  assert.match(still.told[0] ?? '', /took it back/);
  assert.equal(restored.code, 0, restored.stderr);
  assert.match(after.told[0] ?? '', /welcome/);
  assert.equal(world.seen.length, 2);
  assert.equal((await world.one.cli(['broker', 'revoke'])).code, 2);
  assert.equal((await world.one.cli(['broker', 'restore', '--tool', 'http.fetch'])).code, 2);
  assert.equal((await world.one.cli(['audit', 'verify', '--schema'])).code, 0);
});

test('a broker.yaml that cannot be read gives no credential', async (t) => {
  const world = await open(t);
  world.one.write('.clawhold/tenants/default/broker.yaml', 'version: 1\ntools: 7\n');

  const { told } = await world.fetchTimes(1);

  assert.match(told[0] ?? '', /no credential could be given/);
  assert.equal(world.seen.length, 0);
});
