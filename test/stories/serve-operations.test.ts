import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { startCollector } from '../../src/ops/fixtures/collector.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation, type Document } from './installation.ts';
import { serveHome } from './served.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';

test('one request is found by its trace in gateway, orchestrator, executor and broker, in logs, spans and figures', async (t) => {
  const web = createServer((_, response) => response.end('the page')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => void web.close());
  const site = `pages.test:${(web.address() as AddressInfo).port}`;
  const fetchIt = (host: string): { name: string; args: object } => ({ name: 'http_fetch', args: { url: `http://${host}/` } });
  await using collector = await startCollector();
  await using model = await startOpenAiServer({ turns: [{ toolCalls: [fetchIt(site)] }, { text: 'read it' }] });
  using one = newInstallation({
    openAi: model.baseUrl,
    clawholdYaml: `model: test/model\negress:\n  loopback: ['${site}']\n`,
    agentYaml: `workspace: workspace\ngrants:\n  http.fetch: { hosts: ['${site}'], methods: [GET] }\n`,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  });
  await using served = await serveHome(one);

  const sent = await served.ask(
    'POST',
    '/api/v1/runs',
    { agent: 'main', input: `Read http://${site}/ for me.` },
    { traceparent: `00-${trace}-b7ad6b7169203331-01` },
  );
  const ended = await served.reached(sent.json.run, 'done', 'failed', 'denied', 'waiting');
  const metrics = String((await served.ask('GET', '/metrics')).json);
  const status = await one.cli(['status', '--json']);
  const doctor = await one.cli(['doctor', '--json']);
  const backup = await one.cli(['backup', 'create', '--to', path.join(one.root, 'kept'), '--json']);
  const verified = await one.cli(['backup', 'verify', backup.json.archive, '--json']);
  served.child.kill('SIGTERM');
  const { stderr } = await served.done;

  assert.equal(ended.state, 'done', JSON.stringify(ended));
  const lines = stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  const traced = lines.filter((line) => line.trace_id === trace).map(({ msg }) => msg);
  for (const said of ['request', 'run admitted', 'run settled', 'egress.open', 'egress.close'])
    assert.ok(traced.includes(said), `${said} among ${traced.join(', ')}`);
  assert.equal(
    lines.filter((line) => line.tenant_id === 'default' && line.task_id === `tsk_${String(sent.json.run).slice(4)}`).length >= 2,
    true,
  );
  const spans = collector.spans.filter(({ traceId }) => traceId === trace).map(({ name }) => name);
  for (const name of ['POST /api/v1/runs', 'executor.task', 'model.call', 'tool.call', 'broker.egress'])
    assert.ok(spans.includes(name), `${name} among ${spans.join(', ')}`);
  const steps = new Map(collector.spans.filter(({ traceId }) => traceId === trace).map((span) => [span.name, span]));
  for (const [below, above] of [
    ['orchestrator.admit', 'POST /api/v1/runs'],
    ['executor.task', 'orchestrator.admit'],
    ['model.call', 'executor.task'],
    ['tool.call', 'executor.task'],
    ['broker.egress', 'tool.call'],
  ] as const)
    assert.equal(steps.get(below)?.parentSpanId, steps.get(above)?.spanId, `${below} below ${above}`);
  const swarms = lines.filter((line) => ['run admitted', 'run settled'].includes(line.msg)).map((line) => line.swarm_id);
  assert.deepEqual(swarms, [sent.json.run, sent.json.run]);
  for (const line of [
    'clawhold_broker_grants_total{tenant="default"} 1',
    'clawhold_tasks_total{tenant="default",outcome="done"} 1',
    'clawhold_executors{state="idle"} 16',
    'clawhold_ready 1',
  ])
    assert.ok(metrics.includes(`${line}\n`), line);
  assert.deepEqual(status.json.executors, { busy: 0, slots: 16, pids: [] });
  assert.deepEqual([status.code, status.json.server.state, status.json.tenants[0].startedToday], [0, 'ready', 1]);
  const checks = new Map(doctor.json.checks.map((check: Document) => [check.name, check.status]));
  assert.deepEqual(
    ['server', 'listeners', 'queue', 'database-integrity', 'ledger'].map((name) => checks.get(name)),
    ['ok', 'ok', 'ok', 'ok', 'ok'],
  );
  assert.deepEqual([backup.code, verified.json.ok], [0, true], JSON.stringify(verified.json));
});
