import assert from 'node:assert/strict';
import { mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { LlmConfig } from '../contracts/config.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { ModelRequest } from '../contracts/model.ts';
import { startAnthropicServer } from '../../test/servers/anthropic-server.ts';
import { startOpenAiServer } from '../../test/servers/openai-server.ts';
import { openModel, secretsOf, type OpenModelOptions } from './open-model.ts';

// not-a-secret: made up for this test
const key = 'sk-planted-0123456789abcdef';

function open(ref: string | undefined, env: OpenModelOptions['env'] = {}, llm?: LlmConfig): ReturnType<typeof openModel> {
  return openModel({ ref, llm, env, homeDir: '/nowhere' });
}

function ask(model: string): ModelRequest {
  return { model, system: '', messages: [{ role: 'user', text: 'Hello?' }], tools: [], maxOutputTokens: 50 };
}

const signal = new AbortController().signal;

test('OPENAI_API_KEY and OPENAI_BASE_URL are enough to call any server of that wire', async () => {
  await using server = await startOpenAiServer({ key, turns: [{ text: 'Hi.' }] });

  const client = await open('openai/gpt-4o-mini', { OPENAI_API_KEY: key, OPENAI_BASE_URL: server.baseUrl });
  const { answer, costMicroUsd } = await client.call(ask('openai/gpt-4o-mini'), { signal });

  assert.equal(answer.text, 'Hi.');
  assert.deepEqual(answer.usage, { inputTokens: 11, outputTokens: 7 });
  assert.equal(server.requests[0]?.body['model'], 'gpt-4o-mini');
  assert.equal(costMicroUsd, 0);
});

test('ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL are enough to call a server of that wire', async () => {
  await using server = await startAnthropicServer({ key, turns: [{ text: 'Hi.' }] });

  const client = await open('anthropic/claude-test', { ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: server.origin });
  const { answer } = await client.call(ask('anthropic/claude-test'), { signal });

  assert.equal(answer.text, 'Hi.');
  assert.equal(server.requests[0]?.headers['anthropic-version'], '2023-06-01');
});

test('a bare OLLAMA_HOST is enough, with no key', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'Hi.' }] });

  const client = await open('ollama/llama3.2:3b', { OLLAMA_HOST: server.origin.replace('http://', '') });
  const { answer } = await client.call(ask('ollama/llama3.2:3b'), { signal });

  assert.equal(answer.text, 'Hi.');
  assert.equal(server.requests[0]?.body['model'], 'llama3.2:3b');
  assert.equal(server.requests[0]?.headers['authorization'], undefined);
});

test('a provider that only llm.yaml knows is called with its own key, sizes and price', async () => {
  await using server = await startOpenAiServer({ key, turns: [{ text: 'Hi.', usage: { input: 1000, output: 10 } }] });
  const llm: LlmConfig = {
    version: 1,
    providers: { box: { wire: 'openai', baseUrl: server.baseUrl, keyEnv: 'BOX_KEY' } },
    models: { 'box/big': { contextTokens: 9000, maxOutputTokens: 900, inputPer1M: 2, outputPer1M: 4 } },
  };

  const client = await open('box/big', { BOX_KEY: key }, llm);
  const { costMicroUsd } = await client.call(ask('box/big'), { signal });

  assert.deepEqual(client.facts, {
    model: 'box/big',
    isScripted: false,
    contextTokens: 9000,
    maxOutputTokens: 900,
    hasPrice: true,
    isFree: false,
  });
  assert.equal(costMicroUsd, 2040);
});

test('a key of a built-in provider is never sent to a base URL that llm.yaml gives without naming the key', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'Hi.' }] });
  const llm: LlmConfig = { version: 1, providers: { openai: { wire: 'openai', baseUrl: server.baseUrl } } };

  await (await open('openai/gpt-4o', { OPENAI_API_KEY: key }, llm)).call(ask('openai/gpt-4o'), { signal });

  assert.equal(server.requests[0]?.headers['authorization'], undefined);
});

const refused: readonly (readonly [name: string, run: () => Promise<unknown>, code: string, says: RegExp])[] = [
  ['no model', () => open(undefined), 'models.no-model', /--model/],
  ['no provider in the name', () => open('gpt-4o'), 'models.bad-ref', /PROVIDER\/NAME/],
  ['an unknown provider', () => open('acme/x'), 'models.unknown-provider', /anthropic, mistral, moonshot, ollama, openai, scripted/],
  ['a provider named like a property of every object', () => open('constructor/x'), 'models.unknown-provider', /acme|openai/],
  ['a missing key', () => open('openai/gpt-4o'), 'models.no-key', /OPENAI_API_KEY/],
  ['a blank key', () => open('mistral/codestral-2501', { MISTRAL_API_KEY: '  ' }), 'models.no-key', /MISTRAL_API_KEY/],
  ['a key with a line end', () => open('openai/gpt-4o', { OPENAI_API_KEY: `${key}\nHost: x` }), 'models.bad-key', /OPENAI_API_KEY/],
  [
    'an unencrypted public base URL',
    () => open('openai/x', { OPENAI_API_KEY: key, OPENAI_BASE_URL: 'http://api.example.com/v1' }),
    'models.insecure-base-url',
    /https/,
  ],
  [
    'a base URL with credentials',
    () => open('openai/x', { OPENAI_API_KEY: key, OPENAI_BASE_URL: `https://u:${key}@example.com` }),
    'models.bad-base-url',
    /OPENAI_BASE_URL/,
  ],
  [
    'a base URL that is none',
    () => open('openai/x', { OPENAI_API_KEY: key, OPENAI_BASE_URL: 'example' }),
    'models.bad-base-url',
    /OPENAI_BASE_URL/,
  ],
  [
    'a provider without a base URL',
    () => open('box/x', {}, { version: 1, providers: { box: { wire: 'openai' } } }),
    'models.bad-base-url',
    /baseUrl/,
  ],
  ['an unknown built-in script', () => open('scripted/nope'), 'models.unknown-script', /demo, hello, scout/],
  [
    'a script that is not there',
    () => open('play/x', {}, { version: 1, providers: { play: { wire: 'scripted', script: 'none.yaml' } } }),
    'models.bad-script',
    /none\.yaml/,
  ],
];
for (const [name, run, code, says] of refused) {
  test(`${name} is refused with advice and without the key`, async () => {
    await assert.rejects(run(), (thrown) => {
      assert.ok(thrown instanceof FixRequestError);
      assert.equal(thrown.code, code);
      assert.match(thrown.message, says);
      assert.ok(!thrown.message.includes(key));
      return true;
    });
  });
}

test('a private address may be called without TLS', async () => {
  const client = await open('openai/x', { OPENAI_API_KEY: key, OPENAI_BASE_URL: 'http://100.101.2.3:8000/v1' });

  assert.deepEqual([client.facts.hasPrice, client.facts.isFree], [false, false]);
});

test('a missing key never leads to the scripted model', async () => {
  const llm: LlmConfig = { version: 1, providers: { scripted: { wire: 'scripted' } } };

  await assert.rejects(open('anthropic/claude-test', {}, llm), { code: 'models.no-key' });
});

test('a script file of the home is played, as YAML and as JSON', async () => {
  const homeDir = await mkdtemp(path.join(os.tmpdir(), 'clawhold-models-'));
  await writeFile(path.join(homeDir, 'a.yaml'), 'version: 1\nbranches:\n  - turns:\n      - say: "From YAML: {{user}}"\n');
  await writeFile(path.join(homeDir, 'b.json'), JSON.stringify({ version: 1, branches: [{ turns: [{ say: 'From JSON.' }] }] }));
  const llm: LlmConfig = {
    version: 1,
    providers: { a: { wire: 'scripted', script: 'a.yaml' }, b: { wire: 'scripted', script: 'b.json' } },
  };

  const fromYaml = await (await openModel({ ref: 'a/any', llm, env: {}, homeDir })).call(ask('a/any'), { signal });
  const fromJson = await (await openModel({ ref: 'b/any', llm, env: {}, homeDir })).call(ask('b/any'), { signal });

  assert.equal(fromYaml.answer.text, 'From YAML: Hello?');
  assert.equal(fromJson.answer.text, 'From JSON.');
});

test('the secrets for the redactor are those of all providers, in use or not', () => {
  const llm: LlmConfig = { version: 1, providers: { box: { wire: 'openai', baseUrl: 'http://127.0.0.1:1', keyEnv: 'BOX_KEY' } } };

  const secrets = secretsOf(llm, { BOX_KEY: 'box-secret', OPENAI_API_KEY: ` ${key} `, MISTRAL_API_KEY: '', HOME: '/root' });

  assert.deepEqual(secrets, [
    { name: 'BOX_KEY', value: 'box-secret' },
    { name: 'OPENAI_API_KEY', value: key },
  ]);
});

test('a model on this machine and one whose price is 0 are free, unless a price is written down', async () => {
  const llm = (more: string): LlmConfig =>
    JSON.parse(
      `{ "version": 1, "providers": { "box": { "wire": "openai", "baseUrl": "http://127.0.0.1:9/v1" } }, "models": { ${more} } }`,
    ) as LlmConfig;
  const isFree = async (config: LlmConfig): Promise<boolean | undefined> =>
    (await openModel({ ref: 'box/m', llm: config, env: {}, homeDir: '/nowhere' })).facts.isFree;

  assert.equal(await isFree(llm('')), true);
  assert.equal(await isFree(llm('"box/m": { "inputPer1M": 0, "outputPer1M": 1 }')), false);
});
