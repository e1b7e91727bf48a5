import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { FixRequestError } from '../contracts/errors.ts';
import { silentLog, type Log, type LogFields } from '../contracts/log.ts';
import { traceIdOf } from '../contracts/trace.ts';
import { startCollector } from './fixtures/collector.ts';
import { openTracer } from './open-tracer.ts';

const fixture = path.join(import.meta.dirname, 'fixtures', 'traced-executor.ts');
const fromOutside = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function recordingLog(): { readonly log: Log; readonly warnings: { readonly message: string; readonly fields: LogFields }[] } {
  const warnings: { message: string; fields: LogFields }[] = [];
  const log: Log = { ...silentLog, warn: (message, fields = {}) => void warnings.push({ message, fields }), with: () => log };
  return { log, warnings };
}

test('one trace runs through gateway, orchestrator, executor and model, over two processes', async () => {
  await using collector = await startCollector();
  {
    await using tracer = await openTracer({ endpoint: collector.endpoint, serviceName: 'clawhold-gateway', log: silentLog });
    await tracer.inSpan('POST /api/v1/runs', { parent: fromOutside }, async (request) => {
      await tracer.inSpan('admit run', { parent: request.traceparent, attributes: { tenant_id: 'acme' } }, async (admit) => {
        await promisify(execFile)(process.execPath, [fixture, collector.endpoint, admit.traceparent]);
      });
    });
  }

  const byName = new Map(collector.spans.map((span) => [span.name, span]));
  const chain = ['POST /api/v1/runs', 'admit run', 'execute task', 'call model'].map((name) => byName.get(name));
  assert.equal(collector.spans.length, 4);
  assert.deepEqual([...new Set(collector.spans.map(({ traceId }) => traceId))], ['0af7651916cd43dd8448eb211c80319c']);
  assert.equal(chain[0]?.parentSpanId, 'b7ad6b7169203331');
  for (let n = 1; n < chain.length; n += 1) assert.equal(chain[n]?.parentSpanId, chain[n - 1]?.spanId);
  assert.deepEqual(
    chain.map((span) => span?.service),
    ['clawhold-gateway', 'clawhold-gateway', 'clawhold-executor', 'clawhold-executor'],
  );
  assert.deepEqual([chain[1]?.attributes['tenant_id'], chain[3]?.attributes['output_tokens']], ['acme', 12]);
});

/** Opens a tracer in a process of its own; says which packages that loaded. */
async function loadedBy(options: object): Promise<{ readonly context: string; readonly packages: readonly string[] }> {
  const program = `
    const packages = [];
    process.getBuiltinModule('node:module').registerHooks({
      resolve: (specifier, context, next) => { packages.push(specifier); return next(specifier, context); },
    });
    const { openTracer } = await import(${JSON.stringify(path.join(import.meta.dirname, 'open-tracer.ts'))});
    const { silentLog } = await import(${JSON.stringify(path.join(import.meta.dirname, '../contracts/log.ts'))});
    const tracer = await openTracer({ ...${JSON.stringify(options)}, serviceName: 'x', log: silentLog });
    const context = await tracer.inSpan('a', { parent: '${fromOutside}' }, async (span) => span.traceparent);
    process.stdout.write(JSON.stringify({ context, packages: packages.filter((name) => name.startsWith('@')) }), () => process.exit());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  return JSON.parse(stdout) as { readonly context: string; readonly packages: readonly string[] };
}

test('without an endpoint contexts are made and passed on, and nothing of the exporter is loaded', async () => {
  const { context, packages } = await loadedBy({});

  assert.equal(traceIdOf(context), traceIdOf(fromOutside));
  assert.notEqual(context, fromOutside);
  assert.deepEqual(packages, []);
});

test('sabotage: with an endpoint the exporter is seen to be loaded', async () => {
  const { packages } = await loadedBy({ endpoint: 'http://127.0.0.1:9' });

  assert.ok(packages.includes('@opentelemetry/sdk-trace'));
});

test('a caller that is not sampled is followed, and a context that is none begins a new trace', async () => {
  await using collector = await startCollector();
  const contexts: string[] = [];
  {
    await using tracer = await openTracer({ endpoint: collector.endpoint, serviceName: 's', log: silentLog });
    for (const parent of [fromOutside.replace(/01$/, '00'), 'not a context', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`])
      await tracer.inSpan(parent, { parent }, async (span) => void contexts.push(span.traceparent));
  }

  assert.match(contexts[0] ?? '', /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-00$/);
  assert.match(contexts[1] ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  assert.deepEqual(
    collector.spans.map(({ parentSpanId }) => parentSpanId),
    [undefined, undefined],
  );
});

test('a failure marks its span with its code, and neither message nor secret is sent', async () => {
  await using collector = await startCollector();
  const secret = 'planted-Secret-4711-value'; // not-a-secret: planted for this test
  {
    await using tracer = await openTracer({
      endpoint: collector.endpoint,
      serviceName: 's',
      log: silentLog,
      redact: (text) => text.replaceAll(secret, '[redacted:KEY]'),
    });
    const failing = tracer.inSpan('fails', { attributes: { header: `Bearer ${secret}` } }, async (span) => {
      span.set('note', secret);
      throw new FixRequestError('test.failed', `It failed with ${secret}.`);
    });
    await assert.rejects(failing, { code: 'test.failed' });
  }

  assert.deepEqual(collector.spans[0]?.status, { code: 2, message: 'test.failed' });
  assert.equal(collector.spans[0]?.attributes['note'], '[redacted:KEY]');
  assert.equal(collector.bodies.join('').includes(secret), false);
});

for (const [name, endpointOf] of [
  ['that hangs', (hanging: string) => hanging],
  ['that is down', () => 'http://127.0.0.1:9'],
] as const) {
  test(`a collector ${name} slows no work, costs a bounded buffer, ends with the tracer, and is told of once`, async () => {
    await using collector = await startCollector('hangs');
    const { log, warnings } = recordingLog();
    const tracer = await openTracer({ endpoint: endpointOf(collector.endpoint), serviceName: 's', log, timeoutMs: 200 });
    const before = process.memoryUsage().heapUsed;

    for (let n = 0; n < 20_000; n += 1) await tracer.inSpan('work', { attributes: { n, text: 'x'.repeat(100) } }, async () => n);
    await tracer[Symbol.asyncDispose]();

    assert.ok(process.memoryUsage().heapUsed - before < 60_000_000);
    assert.equal(warnings.length, 1);
    assert.match(String(warnings[0]?.fields['collector']), /\/v1\/traces$/);
  });
}

test('a process ends although its collector hangs', async () => {
  await using collector = await startCollector('hangs');

  const { stderr } = await promisify(execFile)(process.execPath, [fixture, collector.endpoint, fromOutside], { timeout: 30_000 });

  assert.equal(stderr, '');
});

test('an address that is none is refused with what to correct', async () => {
  // not-a-secret: an address with a password in it, to be refused
  for (const endpoint of ['collector:4318', 'ftp://127.0.0.1', 'http://user:pass@127.0.0.1:4318'])
    await assert.rejects(openTracer({ endpoint, serviceName: 's', log: silentLog }), { code: 'ops.bad-endpoint' });
});

test('a collector behind plain http is taken on this machine and on the overlay only', async () => {
  const open = async (endpoint: string): Promise<string> => {
    try {
      await (await openTracer({ endpoint, serviceName: 's', log: silentLog }))[Symbol.asyncDispose]();
      return 'opened';
    } catch (error) {
      return (error as FixRequestError).code;
    }
  };
  const taken = [
    'http://127.0.0.1:9',
    'http://localhost:9',
    'http://[::1]:9',
    'http://100.64.0.9:9',
    'http://0x7f.1:9',
    'https://collector.example.org',
  ];
  const refused = [
    'http://collector.example.org:4318',
    'http://10.0.0.7:4318',
    'http://100.63.0.9:9',
    'http://100.128.0.1:9',
    'http://127.0.0.1.example.org',
    'http://localhost.example.org',
    'http://[::ffff:10.0.0.1]:9',
    'http://0.0.0.0:9',
  ];

  const answers = await Promise.all([...taken, ...refused].map(async (endpoint) => await open(endpoint)));

  assert.deepEqual(answers, [...taken.map(() => 'opened'), ...refused.map(() => 'ops.insecure-endpoint')]);
});
