import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { llmConfig } from '../contracts/config.ts';
import { startOpenAiServer } from '../../test/servers/openai-server.ts';
import { detectModels } from './detect.ts';
import { openModel } from './open-model.ts';

const nobody = (): Promise<undefined> => Promise.resolve(undefined);

test('with nothing found the scripted model is written, and the sentence says so and how to change it', async () => {
  const found = await detectModels({ env: {}, probe: nobody });

  assert.equal(found.model, 'scripted/demo');
  assert.equal(found.isScripted, true);
  assert.match(found.sentence, /plays a fixed script/);
  assert.match(found.sentence, /OPENAI_API_KEY/);
  await openModel({ ref: found.model, llm: llmConfig.parse(found.llm), env: {}, homeDir: '/nowhere' });
});

test('keys are found by the name of their variable, and only the name is written', async () => {
  const env = { ANTHROPIC_API_KEY: 'sk-planted-anthropic', MISTRAL_API_KEY: 'planted-mistral' };

  const found = await detectModels({ env, probe: nobody });

  assert.match(found.model, /^anthropic\//);
  assert.deepEqual(Object.keys(found.llm.providers), ['anthropic', 'mistral']);
  assert.ok(!JSON.stringify(found).includes('planted'));
  assert.ok(llmConfig.safeParse(found.llm).success);
  await openModel({ ref: found.model, llm: found.llm, env, homeDir: '/nowhere' });
});

test('an Ollama that answers is asked for its models', async () => {
  await using server = await startOpenAiServer();

  const found = await detectModels({ env: { OLLAMA_HOST: server.origin } });

  assert.equal(found.model, 'ollama/test-model');
  assert.equal(found.isScripted, false);
});

test('an Ollama that is silent, absent or something else does not hold init up', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  await using other = await startOpenAiServer({ key: 'needed' });

  for (const host of [
    '127.0.0.1:1',
    other.origin,
    `127.0.0.1:${(silent.address() as AddressInfo).port}`,
    `${other.origin}/nothing/here`,
    'http://[bad',
  ]) {
    assert.equal((await detectModels({ env: { OLLAMA_HOST: host } })).isScripted, true);
  }
  silent.close();
});
