import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { LlmConfig } from '../contracts/config.ts';
import type { ModelClient, ModelRequest } from '../contracts/model.ts';
import { ModelError } from '../contracts/model-error.ts';
import { startAnthropicServer } from '../../test/servers/anthropic-server.ts';
import type { ModelServer, ModelServerOptions } from '../../test/servers/model-server.ts';
import { startOpenAiServer } from '../../test/servers/openai-server.ts';
import { openModel } from './open-model.ts';

const key = 'sk-planted-0123456789abcdef'; // not-a-secret: made up for this test

interface Wire {
  readonly wire: 'openai' | 'anthropic';
  start(options: ModelServerOptions): Promise<ModelServer>;
}

const wires: readonly Wire[] = [
  { wire: 'openai', start: startOpenAiServer },
  { wire: 'anthropic', start: startAnthropicServer },
];

function open(
  wire: Wire['wire'],
  baseUrl: string,
  seconds: { firstByteSeconds?: number; idleSeconds?: number } = {},
): Promise<ModelClient> {
  const llm: LlmConfig = { version: 1, providers: { box: { wire, baseUrl, keyEnv: 'BOX_KEY', ...seconds } } };
  return openModel({ ref: 'box/test-model', llm, env: { BOX_KEY: key }, homeDir: '/nowhere', retry: { baseMs: 1, maxWaitMs: 5_000 } });
}

const request: ModelRequest = {
  model: 'box/test-model',
  system: 'Be brief.',
  messages: [{ role: 'user', text: 'Hello?' }],
  tools: [],
  maxOutputTokens: 100,
};

function never(): AbortSignal {
  return new AbortController().signal;
}

async function failureOf(call: Promise<unknown>): Promise<ModelError> {
  const thrown = await call.then(
    () => assert.fail('The call succeeded.'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof ModelError, String(thrown));
  assert.ok(!`${thrown.message} ${String(thrown.stack)} ${JSON.stringify(thrown)}`.includes(key), 'The key is in the error.');
  return thrown;
}

for (const each of wires) {
  const { wire } = each;
  const start = (options: ModelServerOptions): Promise<ModelServer> => each.start(options);

  test(`${wire}: 429 is waited for as Retry-After says, and told`, async () => {
    await using server = await start({ key, turns: [{ status: 429, headers: { 'retry-after': '0.02' } }, { text: 'At last.' }] });
    const client = await open(wire, server.baseUrl);
    const retries: number[] = [];

    const { answer, attempts } = await client.call(request, { signal: never(), onRetry: ({ waitMs }) => retries.push(waitMs) });

    assert.equal(answer.text, 'At last.');
    assert.equal(attempts, 2);
    assert.deepEqual(retries, [20]);
  });

  test(`${wire}: a Retry-After beyond the limit ends the call at once with that time in the error`, async () => {
    await using server = await start({ key, turns: [{ status: 429, headers: { 'retry-after': '3600' } }] });

    const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

    assert.equal(error.code, 'models.rate-limited');
    assert.equal(error.retryAfterMs, 3_600_000);
    assert.equal(server.requests.length, 1);
  });

  test(`${wire}: 500 for ever ends after four requests as a transient server error`, async () => {
    await using server = await start({ key, turns: [{ status: 500 }] });

    const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

    assert.equal(error.code, 'models.server-error');
    assert.equal(error.errorClass, 'transient_server');
    assert.equal(server.requests.length, 4);
  });

  for (const status of [400, 401, 403, 404, 422]) {
    test(`${wire}: ${status} is not tried again`, async () => {
      await using server = await start({ key, turns: [{ status }] });

      const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

      assert.equal(error.errorClass, 'non_transient');
      assert.equal(error.status, status);
      assert.equal(server.requests.length, 1);
    });
  }

  test(`${wire}: a redirect is not followed, so that the key stays where it was sent`, async () => {
    await using thief = await start({});
    await using server = await start({ turns: [{ status: 307, headers: { location: `${thief.baseUrl}/chat/completions` } }] });

    const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

    assert.equal(error.code, 'models.redirect');
    assert.equal(thief.connectionCount(), 0);
  });

  test(`${wire}: a provider that repeats the refused key does not get it into the error`, async () => {
    await using server = await start({ key: 'another' });

    const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

    assert.equal(error.code, 'models.key-refused');
    assert.match(error.message, /BOX_KEY/);
  });

  for (const hang of ['before-headers', 'after-headers', 'mid-stream'] as const) {
    test(`${wire}: a server that hangs ${hang} is given up after two time-outs`, async () => {
      await using server = await start({ key, turns: [{ text: 'This stays unfinished, whatever happens.', hang }] });

      const error = await failureOf(
        (await open(wire, server.baseUrl, { firstByteSeconds: 0.05, idleSeconds: 0.05 })).call(request, { signal: never() }),
      );

      assert.equal(error.code, 'models.timeout');
      assert.equal(error.errorClass, 'transient_network');
      assert.equal(server.requests.length, 2);
    });

    test(`${wire}: an abort while the server hangs ${hang} ends the call with the signal's reason`, async () => {
      const controller = new AbortController();
      const reason = new Error('The operator stopped it.');
      await using server = await start({
        respond: () => {
          setTimeout(() => controller.abort(reason), 20);
          return { text: 'This stays unfinished, whatever happens.', hang };
        },
      });

      const call = (await open(wire, server.baseUrl)).call(request, { signal: controller.signal });

      await assert.rejects(call, (thrown) => thrown === reason);
      assert.equal(server.requests.length, 1);
    });
  }

  test(`${wire}: an abort between two attempts ends the wait`, async () => {
    const controller = new AbortController();
    await using server = await start({ key, turns: [{ status: 429, headers: { 'retry-after': '4' } }] });
    const client = await open(wire, server.baseUrl);

    const call = client.call(request, { signal: controller.signal, onRetry: () => setImmediate(() => controller.abort()) });

    await assert.rejects(call, { name: 'AbortError' });
    assert.equal(server.requests.length, 1);
  });

  test(`${wire}: a signal that is aborted already sends nothing`, async () => {
    await using server = await start({ key });

    await assert.rejects((await open(wire, server.baseUrl)).call(request, { signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.equal(server.connectionCount(), 0);
  });

  for (const cut of ['mid-stream', 'clean', 'before-headers'] as const) {
    test(`${wire}: a stream that breaks (${cut}) is asked for again as a whole, and nothing of the first is in the answer`, async () => {
      await using server = await start({ key, turns: [{ text: 'The broken first answer.', cut }, { text: 'The second.' }] });
      const client = await open(wire, server.baseUrl);
      let retries = 0;

      const { answer, attempts } = await client.call(request, { signal: never(), onRetry: () => (retries += 1) });

      assert.equal(answer.text, 'The second.');
      assert.equal(attempts, 2);
      assert.equal(retries, 1);
    });
  }

  test(`${wire}: a stream that always breaks ends as cut after four requests`, async () => {
    await using server = await start({ key, turns: [{ text: 'The broken first answer.', cut: 'clean' }] });

    const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

    assert.equal(error.code, 'models.stream-cut');
    assert.equal(server.requests.length, 4);
  });

  const garbage: readonly (readonly [name: string, turn: NonNullable<ModelServerOptions['turns']>[number]])[] = [
    ['an HTML page', { raw: '<html>Welcome to the captive portal</html>', contentType: 'text/html' }],
    ['JSON of another kind', { raw: '[1,2,3]' }],
    ['an empty body', { raw: '' }],
    ['an object that is no answer', { raw: '{"hello":"world"}' }],
    ['bytes that are not UTF-8', { raw: new Uint8Array([0x7b, 0xff, 0xfe, 0x80]) }],
    ['events that are not JSON', { raw: 'data: {"choices": [}\n\n', contentType: 'text/event-stream' }],
    [
      'events that are not UTF-8',
      { raw: [new TextEncoder().encode('data: {"a":"'), new Uint8Array([0xc3, 0x28]), '"}\n\n'], contentType: 'text/event-stream' },
    ],
  ];
  for (const [name, turn] of garbage) {
    test(`${wire}: ${name} is a bad answer, asked for again once`, async () => {
      await using server = await start({ key, turns: [turn] });

      const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

      assert.equal(error.code, 'models.bad-answer');
      assert.equal(error.errorClass, 'non_transient');
      assert.equal(server.requests.length, 2);
    });
  }

  const huge: readonly (readonly [name: string, raw: readonly string[], contentType: string])[] = [
    ['a document', Array.from({ length: 10 }, () => 'x'.repeat(1024 * 1024)), 'application/json'],
    ['one event without an end', ['data: ', ...Array.from({ length: 10 }, () => 'x'.repeat(1024 * 1024))], 'text/event-stream'],
  ];
  for (const [name, raw, contentType] of huge) {
    test(`${wire}: ${name} of 10 MiB is dropped, not held`, async () => {
      await using server = await start({ key, turns: [{ raw, contentType }] });

      const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

      assert.equal(error.code, 'models.too-large');
      assert.equal(server.requests.length, 1);
    });
  }

  test(`${wire}: a half-open connection that accepts and never answers is a time-out`, async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const client = await open(wire, `http://127.0.0.1:${(silent.address() as AddressInfo).port}`, { firstByteSeconds: 0.05 });

    const error = await failureOf(client.call(request, { signal: never() }));

    assert.equal(error.code, 'models.timeout');
    silent.close();
  });

  test(`${wire}: nobody listening is unreachable, with the address in the message`, async () => {
    const server = await start({});
    await server.close();

    const error = await failureOf((await open(wire, server.baseUrl)).call(request, { signal: never() }));

    assert.equal(error.code, 'models.unreachable');
    assert.equal(error.errorClass, 'transient_network');
    assert.ok(error.message.includes(server.origin));
  });

  test(`${wire}: a connection is kept for the next call`, async () => {
    await using server = await start({ key });
    const client = await open(wire, server.baseUrl);

    const first = await client.call(request, { signal: never() });
    const second = await client.call(request, { signal: never() });

    assert.deepEqual([first.attempts, second.attempts], [1, 1]);
    assert.equal(server.connectionCount(), 1);
  });
}

test('anthropic: 529 and an overload in mid-stream are transient, as the wire says', async () => {
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
  await using server = await startAnthropicServer({
    key,
    turns: [{ status: 529 }, { events: [{ type: 'ping' }, overloaded] }, { text: 'Now.' }],
  });

  const { answer, attempts } = await (await open('anthropic', server.baseUrl)).call(request, { signal: never() });

  assert.equal(answer.text, 'Now.');
  assert.equal(attempts, 3);
});

test('openai: an error inside a stream is classified by its code', async () => {
  await using server = await startOpenAiServer({
    key,
    turns: [
      { events: [{ error: { message: 'slow down', code: 429 } }] },
      { events: [{ error: { message: 'no', type: 'invalid_request_error' } }] },
    ],
  });

  const error = await failureOf((await open('openai', server.baseUrl)).call(request, { signal: never() }));

  assert.equal(error.code, 'models.bad-request');
  assert.equal(server.requests.length, 2);
});
