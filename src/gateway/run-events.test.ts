import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { endEntry, openWorld, type GatewayWorld } from './fixtures/gateway-world.ts';

interface Frame {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: ReturnType<typeof JSON.parse>;
}

/** Frames of a stream until it ends, or until `until` says that it is enough. */
async function listen(
  world: GatewayWorld,
  run: string,
  options: { readonly headers?: Record<string, string>; readonly until?: (frame: Frame) => boolean } = {},
): Promise<Frame[]> {
  const gone = new AbortController();
  const response = await fetch(`${world.url}/api/v1/runs/${run}/events`, {
    headers: { authorization: `Bearer ${world.token('viewer')}`, ...options.headers },
    signal: gone.signal,
  });
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  const frames: Frame[] = [];
  let text = '';
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block.startsWith(':')) continue;
      const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const frame = { id: field('id'), event: field('event'), data: JSON.parse(field('data') ?? 'null') };
      frames.push(frame);
      if (options.until?.(frame) === true) {
        gone.abort();
        return frames;
      }
    }
  }
  return frames;
}

test('a listener gets the journal with its lines as ids and parts of texts without, and the stream ends with the run', async (t) => {
  const world = await openWorld(t);
  const run = world.addRun({ state: 'running' });
  const ref = { tenant: run.tenant, run: run.id };
  world.write(run, { kind: 'accepted', note: 'line\nbreak' });
  const all = listen(world, run.id, {
    until: ({ event }) => {
      if (event === 'accepted') {
        world.ctx.feed.publish(ref, { type: 'turn', turn: 1 });
        world.write(run, { kind: 'model.request', turn: 1 });
        world.ctx.feed.publish(ref, { type: 'text', delta: 'Hel' });
      }
      if (event === 'text') world.write(run, { kind: 'model.answer', turn: 1 }, endEntry('done'));
      return false;
    },
  });

  const frames = await all;
  assert.deepEqual(
    frames.map(({ id, event }) => [id, event]),
    [
      ['1', 'accepted'],
      ['2', 'model.request'],
      [undefined, 'text'],
      ['3', 'model.answer'],
      ['4', 'end'],
    ],
  );
  assert.equal(frames[0]!.data.note, 'line\nbreak');
  assert.deepEqual(frames[2]!.data, { turn: 1, at: 0, delta: 'Hel' });
});

test('a listener that lost its connection goes on behind the last event that it has', async (t) => {
  const world = await openWorld(t);
  const run = world.addRun({ state: 'running' });
  world.write(run, { kind: 'accepted' }, { kind: 'prompt' });
  const first = await listen(world, run.id, { until: ({ id }) => id === '2' });
  world.write(run, { kind: 'value' }, endEntry('done'));

  const second = await listen(world, run.id, { headers: { 'last-event-id': first.at(-1)!.id! } });

  assert.deepEqual(
    second.map(({ id }) => id),
    ['3', '4'],
  );
  const bad = await world.ask('GET', `/api/v1/runs/${run.id}/events`, { token: world.token('viewer'), headers: { 'last-event-id': '-1' } });
  assert.equal(bad.status, 400);
});

test('a listener that reads nothing is dropped, costs a bounded amount, and hurts nobody beside it', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { heartbeatMs: 100, maxUnreadBytes: 64 * 1024 } }));
  const run = world.addRun({ state: 'running' });
  world.write(run, { kind: 'accepted' });
  const slow = net.connect(world.port, '127.0.0.1');
  const closed = new Promise<void>((resolve) => slow.on('close', () => resolve()).on('error', () => {}));
  slow.pause();
  slow.write(
    `GET /api/v1/runs/${run.id}/events HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\nAuthorization: Bearer ${world.token('viewer')}\r\n\r\n`,
  );
  const healthy = listen(world, run.id);
  const value = 'x'.repeat(100_000);
  for (let i = 0; i < 200; i += 1) world.write(run, { kind: 'value', value });

  // A paused socket does not hear that it was closed before it has read everything.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  world.write(run, endEntry('done'));
  assert.equal((await healthy).length, 202);
  let received = 0;
  slow.on('data', (part) => (received += part.length));
  slow.resume();
  await closed;
  assert.ok(received < 200 * 100_000, `the slow listener was given ${received} bytes`);
  assert.equal(world.ctx.feed.followed, 0);
});

test('listeners of one run share one reader, and all of it is let go when they leave', async (t) => {
  const world = await openWorld(t);
  const run = world.addRun({ state: 'running' });
  world.write(run, { kind: 'accepted' });

  await Promise.all(Array.from({ length: 40 }, async () => await listen(world, run.id, { until: () => true })));
  for (let i = 0; world.ctx.feed.followed > 0 && i < 200; i += 1) await new Promise((resolve) => setTimeout(resolve, 10));

  assert.equal(world.ctx.feed.followed, 0);
});

test('a stream ends soon after its token was revoked', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { heartbeatMs: 50 } }));
  const run = world.addRun({ state: 'running' });
  world.write(run, { kind: 'accepted' });
  const admin = world.token('admin');
  const made = (await world.ask('POST', '/api/v1/tokens', { token: admin, body: { roles: ['viewer'] } })).json;
  const response = await fetch(`${world.url}/api/v1/runs/${run.id}/events`, { headers: { authorization: `Bearer ${made.secret}` } });
  const rest = response.text().then(
    () => 'ended',
    () => 'cut',
  );

  assert.equal((await world.ask('POST', `/api/v1/tokens/${made.token.id}/revoke`, { token: admin })).status, 200);

  assert.equal(await rest, 'cut');
});

test('a stream ends soon after its tenant was closed', async (t) => {
  let isOpen = true;
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    limits: { heartbeatMs: 50 },
    tenants: { ...ctx.tenants, get: (id) => (isOpen ? ctx.tenants.get(id) : undefined) },
  }));
  const run = world.addRun({ state: 'running' });
  world.write(run, { kind: 'accepted' });
  const response = await fetch(`${world.url}/api/v1/runs/${run.id}/events`, {
    headers: { authorization: `Bearer ${world.token('viewer')}` },
  });
  const rest = response.text().then(
    () => 'ended',
    () => 'cut',
  );

  isOpen = false;

  assert.equal(await rest, 'cut');
});

test('a journal that cannot be read ends its stream and nothing else', async (t) => {
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    feed: {
      ...ctx.feed,
      // oxlint-disable-next-line require-yield
      async *follow() {
        throw new Error('EIO');
      },
    },
  }));
  const run = world.addRun({ state: 'running' });

  await world.ask('GET', `/api/v1/runs/${run.id}/events`, { token: world.token('viewer') }).catch(() => undefined);

  assert.equal((await world.ask('GET', '/healthz')).status, 200);
});
