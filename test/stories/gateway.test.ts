import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import OpenAI, { APIError } from 'openai';
import { newInstallation } from './installation.ts';
import { serveHome, tokenOf } from './served.ts';

const clawholdYaml = 'model: scripted/demo\n';

test('a stock OpenAI client talks with an agent of a real server: whole, streamed, in one session, and not past its budget', async () => {
  using one = newInstallation({ clawholdYaml });
  const token = await tokenOf(one, 'submitter');
  await using served = await serveHome(one);
  const openai = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: token, maxRetries: 0 });
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'hello' }];

  const first = await openai.chat.completions.create({ model: 'agent/main', messages });
  const { message } = first.choices[0]!;
  assert.match(message.content ?? '', /scripted model/);
  messages.push(message, { role: 'user', content: 'hello again' });
  const stream = await openai.chat.completions.create({ model: 'agent/main', messages, stream: true });
  const parts: string[] = [];
  let id = '';
  for await (const chunk of stream) {
    parts.push(chunk.choices[0]?.delta.content ?? '');
    id = chunk.id;
  }

  assert.match(parts.join(''), /scripted model/);
  const [a, b] = await Promise.all(
    [first.id, id].map(async (name) => await served.ask('GET', `/api/v1/runs/${name.replace('chatcmpl-', '')}`)),
  );
  assert.equal(a!.json.run.session, b!.json.run.session);
  assert.notEqual(a!.json.run.id, b!.json.run.id);

  one.write('.clawhold/tenants/default/tenant.yaml', 'version: 1\nquotas:\n  usdPerDay: 0\n');
  await assert.rejects(openai.chat.completions.create({ model: 'agent/main', messages }), (error: unknown) => {
    assert.ok(error instanceof APIError);
    assert.deepEqual([error.status, error.type], [429, 'insufficient_quota']);
    return true;
  });
});

test('a stream of events goes on behind its last id after the server was killed and started again', async () => {
  using one = newInstallation({ clawholdYaml });
  const token = await tokenOf(one);
  const events = async (url: string, run: string, after: string): Promise<string> =>
    await (
      await fetch(`${url}/api/v1/runs/${run}/events`, { headers: { authorization: `Bearer ${token}`, 'last-event-id': after } })
    ).text();
  let run: string;
  {
    await using served = await serveHome(one, [], token);
    run = await served.post('hello');
    assert.match(await events(served.url, run, '0'), /^id: 1\nevent: accepted/m);
  }
  await using again = await serveHome(one, [], token);

  const rest = await events(again.url, run, '2');
  assert.match(rest, /^id: 3\n/);
  assert.match(rest, /event: end\n/);
});

test('2,000 slow clients and listeners that read nothing do not keep others from their answers', async (t) => {
  using one = newInstallation({ clawholdYaml });
  const token = await tokenOf(one);
  await using served = await serveHome(one, [], token);
  const { port, host } = new URL(served.url);
  const run = await served.post('hello');
  await served.reached(run, 'done');
  const auth = `Host: ${host}\r\nAuthorization: Bearer ${token}\r\n`;
  const heads = [
    '',
    `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `,
    `POST /api/v1/runs HTTP/1.1\r\n${auth}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{`,
    `GET /api/v1/runs/${run}/artifacts/journal.jsonl HTTP/1.1\r\n${auth}\r\n`.repeat(20),
  ];
  const sockets = Array.from({ length: 2000 }, (_, i) => {
    const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(heads[i % heads.length]!));
    return socket.on('error', () => {}).pause();
  });
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  await Promise.all(
    sockets.map(async (socket) => {
      if (socket.connecting) await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    }),
  );

  const second = await served.post('hello');
  assert.equal((await served.reached(second, 'done')).state, 'done');
  assert.equal((await served.ask('GET', '/readyz')).status, 200);
});

test('serve refuses to listen for everybody, with one sentence and exit code 2', async () => {
  using one = newInstallation({ clawholdYaml });

  const flag = await one.cli(['serve', '--host', '0.0.0.0', '--port', '0', '--json']);
  one.write('.clawhold/clawhold.yaml', `version: 1\n${clawholdYaml}serve:\n  host: "::"\n`);
  const file = await one.cli(['serve', '--port', '0', '--json']);

  for (const { code, json } of [flag, file]) {
    assert.equal(code, 2);
    assert.equal(json.error.code, 'gateway.public-address');
  }
});
