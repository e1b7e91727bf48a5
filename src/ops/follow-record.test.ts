import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import type { LedgerEvent } from '../contracts/ledger.ts';
import { silentLog } from '../contracts/log.ts';
import { passingTracer } from '../contracts/trace.ts';
import { startCollector } from './fixtures/collector.ts';
import { followRecord, type RecordListener } from './follow-record.ts';
import { openLog } from './open-log.ts';
import { openMetrics } from './open-metrics.ts';
import { openTracer } from './open-tracer.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const inRun = { at: '2026-01-02T03:04:05.678Z', run: 'run_1', session: 'ses_1', agent: 'main' };

/** One turn with a call that goes out, one that is refused, and a credential of each kind. */
const record = [
  { type: 'model.call', ...inRun, turn: 1, model: 'openai/gpt', request: 'x' },
  { type: 'model.result', ...inRun, turn: 1, request: 'x' },
  { type: 'tool.decision', ...inRun, call: 'c1', tool: 'http.fetch', verdict: 'allow' },
  { type: 'tool.intent', ...inRun, call: 'c1', tool: 'http.fetch', request: 'x' },
  { type: 'broker.grant', ...inRun, tool: 'http.fetch', grant: 'g', hosts: [] },
  { type: 'broker.denial', ...inRun, tool: 'http.fetch', code: 'broker.expired' },
  { type: 'egress.open', ...inRun, connection: 'k1', mode: 'fetch', host: 'api.example.org', port: 443 },
  { type: 'egress.close', ...inRun, connection: 'k1', host: 'api.example.org', port: 443, outcome: 'done' },
  { type: 'egress.close', ...inRun, connection: 'k2', host: 'evil.example.org', port: 443, outcome: 'egress.not-granted' },
  { type: 'tool.result', ...inRun, call: 'c1', tool: 'http.fetch', isError: false, result: 'x' },
] as unknown as readonly LedgerEvent[];

function tell(listener: RecordListener): void {
  for (const event of record) listener('acme', event);
}

test('grants, denials, decisions and model calls are counted from the record', async () => {
  const metrics = openMetrics({ version: '0' });

  tell(followRecord({ metrics, log: silentLog, traceOf: async () => undefined }));

  const text = await metrics.text();
  for (const line of [
    'clawhold_broker_grants_total{tenant="acme"} 2',
    'clawhold_broker_denials_total{tenant="acme",reason="broker.expired"} 1',
    'clawhold_broker_denials_total{tenant="acme",reason="egress.not-granted"} 1',
    'clawhold_tool_calls_total{tenant="acme",tool="http.fetch",decision="allow"} 1',
    'clawhold_model_requests_total{tenant="acme",model="openai/gpt",outcome="ok"} 1',
    'clawhold_model_request_duration_seconds_count{model="openai/gpt"} 1',
  ])
    assert.ok(text.includes(`${line}\n`), line);
});

test('the broker’s log lines and the spans of model, tool and broker have the trace of the request', async () => {
  await using collector = await startCollector();
  const lines: string[] = [];
  {
    await using tracer = await openTracer({ endpoint: collector.endpoint, serviceName: 'clawhold-server', log: silentLog });
    const log = openLog({ write: (line) => void lines.push(line) });
    tell(followRecord({ metrics: openMetrics({ version: '0' }), log, tracer, traceOf: async () => traceparent }));
    await sleep(20);
  }

  assert.deepEqual(collector.spans.map(({ name }) => name).toSorted(), ['broker.egress', 'model.call', 'tool.call']);
  assert.ok(collector.spans.every(({ traceId }) => traceId === traceparent.slice(3, 35)));
  const byName = new Map(collector.spans.map((span) => [span.name, span]));
  assert.deepEqual(
    ['model.call', 'tool.call', 'broker.egress'].map((name) => byName.get(name)?.parentSpanId),
    ['b7ad6b7169203331', 'b7ad6b7169203331', byName.get('tool.call')?.spanId],
  );
  const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    said.map(({ msg }) => msg),
    ['broker.grant', 'broker.denial', 'egress.open', 'egress.close', 'egress.close'],
  );
  assert.ok(
    said.every((line) => line['trace_id'] === traceparent.slice(3, 35) && line['tenant_id'] === 'acme' && line['run_id'] === 'run_1'),
  );
});

test('steps that never end are kept up to a bound, and a failing lookup disturbs nothing', async () => {
  const metrics = openMetrics({ version: '0' });
  const listener = followRecord({
    metrics,
    log: silentLog,
    tracer: passingTracer,
    traceOf: async () => await Promise.reject(new Error('no queue')),
  });
  const say = (type: 'model.call' | 'model.result', turn: number): void =>
    listener('acme', { type, ...inRun, turn, model: 'm', request: 'x' });

  for (let turn = 0; turn < 10_001; turn += 1) say('model.call', turn);
  for (const turn of [0, 9999, 10_000]) say('model.result', turn);
  tell(listener);
  await sleep(20);

  assert.match(await metrics.text(), /clawhold_model_requests_total\{tenant="acme",model="m",outcome="ok"\} 1\n/);
});
