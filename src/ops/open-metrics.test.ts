import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { counters, gauges, histograms } from '../contracts/metric-table.ts';
import { openMetrics } from './open-metrics.ts';

const options = { version: '0.1.0', build: 'abc' };

/** `name{labels}` to its value. */
function parse(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

test('a scrape finds queue depth, task latency, executors, sandboxes, broker grants and denials', async () => {
  const metrics = openMetrics(options);
  metrics.gauge('queue_tasks', () => [
    { labels: { tenant: 'acme', state: 'ready' }, value: 7 },
    { labels: { tenant: 'acme', state: 'leased' }, value: 2 },
  ]);
  metrics.gauge('executors', async () => [{ labels: { state: 'busy' }, value: 3 }]);
  metrics.gauge('sandboxes', () => [{ labels: { tenant: 'acme' }, value: 1 }]);
  metrics.observe('task_duration_seconds', 0.2, { tenant: 'acme', outcome: 'done' });
  metrics.count('broker_grants_total', { tenant: 'acme' });
  metrics.count('broker_denials_total', { tenant: 'acme', reason: 'host' }, 2);

  const found = parse(await metrics.text());

  assert.equal(found.get('clawhold_queue_tasks{tenant="acme",state="ready"}'), 7);
  assert.equal(found.get('clawhold_executors{state="busy"}'), 3);
  assert.equal(found.get('clawhold_sandboxes{tenant="acme"}'), 1);
  assert.equal(found.get('clawhold_task_duration_seconds_bucket{le="0.1",tenant="acme",outcome="done"}'), 0);
  assert.equal(found.get('clawhold_task_duration_seconds_bucket{le="0.5",tenant="acme",outcome="done"}'), 1);
  assert.equal(found.get('clawhold_broker_grants_total{tenant="acme"}'), 1);
  assert.equal(found.get('clawhold_broker_denials_total{tenant="acme",reason="host"}'), 2);
});

/** Metrics of the table that no file tells. */
function untold(names: readonly string[], sources: readonly string[]): string[] {
  return names.filter((name) => !sources.some((text) => text.includes(`'${name}'`)));
}

test('every metric of the table is told by some code, and sabotage: one that nobody tells is found', () => {
  const root = path.join(import.meta.dirname, '..');
  const files = fs.globSync('**/*.ts', { cwd: root, exclude: ['**/*.test.ts', '**/fixtures/**', 'contracts/**'] });
  const sources = files.map((file) => fs.readFileSync(path.join(root, file), 'utf8'));
  const names = Object.keys({ ...counters, ...histograms, ...gauges });

  assert.deepEqual(untold(names, sources), []);
  assert.deepEqual(untold(['webhooks_total', 'wishes_total'], sources), ['wishes_total']);
});

test('build and process say what runs', async () => {
  const found = parse(await openMetrics(options).text());

  assert.equal(found.get(`clawhold_build_info{version="0.1.0",build="abc",node="${process.versions.node}"}`), 1);
  for (const name of ['resident_memory_bytes', 'cpu_seconds', 'start_time_seconds', 'open_fds']) {
    const value = found.get(`clawhold_process_${name}`);
    assert.ok(value !== undefined && value > 0, name);
  }
});

test('a gauge shows what is now, and what is gone is not shown', async () => {
  const metrics = openMetrics(options);
  let ready = [{ labels: { tenant: 'acme', state: 'ready' }, value: 1 }];
  metrics.gauge('queue_tasks', () => ready);
  await metrics.text();

  ready = [{ labels: { tenant: 'globex', state: 'ready' }, value: 5 }];
  const found = parse(await metrics.text());

  assert.equal(found.get('clawhold_queue_tasks{tenant="acme",state="ready"}'), undefined);
  assert.equal(found.get('clawhold_queue_tasks{tenant="globex",state="ready"}'), 5);
});

test('above 200 tenants the rest is one series, in counters and gauges alike', async () => {
  const metrics = openMetrics(options);
  const tenants = Array.from({ length: 1000 }, (_, n) => `tenant-${n}`);
  for (const tenant of tenants) metrics.count('rate_limited_total', { tenant });
  metrics.gauge('sandboxes', () => tenants.map((tenant) => ({ labels: { tenant }, value: 1 })));

  const found = parse(await metrics.text());

  const limited = [...found.keys()].filter((key) => key.startsWith('clawhold_rate_limited_total'));
  assert.equal(limited.length, 201);
  assert.equal(found.get('clawhold_rate_limited_total{tenant="_other"}'), 800);
  assert.equal(found.get('clawhold_sandboxes{tenant="_other"}'), 800);
});

test('sabotage: with a higher bound the same flood makes more series', async () => {
  const metrics = openMetrics({ ...options, maxTenants: 500 });
  for (let n = 0; n < 1000; n += 1) metrics.count('rate_limited_total', { tenant: `tenant-${n}` });

  const limited = [...parse(await metrics.text()).keys()].filter((key) => key.startsWith('clawhold_rate_limited_total'));

  assert.equal(limited.length, 501);
});

test('a value that somebody else chooses cannot write lines of its own or make endless series', async () => {
  const metrics = openMetrics(options);
  metrics.count('model_requests_total', { model: 'a"} 1\nclawhold_ready 1\n', outcome: 'ok' });
  metrics.count('model_requests_total', { model: 'x'.repeat(10_000), outcome: 'ok' });
  for (let n = 0; n < 500; n += 1) metrics.count('http_requests_total', { method: 'GET', route: `/x/${n}`, status: '404' });

  const text = await metrics.text();

  assert.doesNotMatch(text, /^clawhold_ready/m);
  assert.ok(text.split('\n').every((line) => line.length < 400));
  assert.equal(text.match(/^clawhold_http_requests_total\{/gm)?.length, 101);
});

test('a reader that fails or hangs costs its own metric only, and is named', async () => {
  const metrics = openMetrics({ ...options, readMs: 20 });
  metrics.gauge('approvals_open', () => {
    throw new Error('no database');
  });
  metrics.gauge('executors', async () => await new Promise(() => {}));
  metrics.gauge('ready', () => [{ value: 1 }]);

  const found = parse(await metrics.text());

  assert.equal(found.get('clawhold_ready'), 1);
  assert.equal(
    [...found.keys()].some((key) => /^clawhold_(approvals_open|executors)\b/.test(key)),
    false,
  );
  assert.equal(found.get('clawhold_scrape_errors_total{metric="approvals_open"}'), 1);
  assert.equal(found.get('clawhold_scrape_errors_total{metric="executors"}'), 1);
});

test('what is no number is not counted, and a clock that stepped back counts as 0', async () => {
  const metrics = openMetrics(options);
  metrics.observe('task_wait_seconds', Number.NaN, { tenant: 'a' });
  metrics.observe('task_wait_seconds', -5, { tenant: 'a' });
  metrics.count('model_cost_usd_total', { tenant: 'a', model: 'm' }, -1);
  metrics.count('model_cost_usd_total', { tenant: 'a', model: 'm' }, 0.25);

  const found = parse(await metrics.text());

  assert.equal(found.get('clawhold_task_wait_seconds_count{tenant="a"}'), 1);
  assert.equal(found.get('clawhold_task_wait_seconds_sum{tenant="a"}'), 0);
  assert.equal(found.get('clawhold_model_cost_usd_total{tenant="a",model="m"}'), 0.25);
});

test('scrapes at the same time share one reading', async () => {
  const metrics = openMetrics(options);
  let reads = 0;
  metrics.gauge('executors', async () => {
    reads += 1;
    return [{ labels: { state: 'busy' }, value: 1 }];
  });

  const texts = await Promise.all(Array.from({ length: 20 }, () => metrics.text()));

  assert.equal(reads, 1);
  assert.equal(new Set(texts).size, 1);
});

test('an unknown name is a bug, and every name says what it is', async () => {
  const metrics = openMetrics(options);

  assert.throws(() => metrics.count('no_such_total' as never), { name: 'AssertionError' });
  assert.throws(() => metrics.observe('no_such_seconds' as never, 1), { name: 'AssertionError' });
  assert.throws(() => metrics.gauge('no_such' as never, () => []), { name: 'AssertionError' });
  for (const name of Object.keys(gauges)) metrics.gauge(name as 'ready', () => []);
  const text = await metrics.text();
  for (const name of Object.keys({ ...counters, ...histograms, ...gauges }))
    assert.match(text, new RegExp(`^# HELP clawhold_${name} \\S`, 'm'));
});

test('a tenant with the name of the overflow of old has a series of its own', async () => {
  const metrics = openMetrics({ version: '0', maxTenants: 1 });

  metrics.count('rate_limited_total', { tenant: 'other' });
  metrics.count('rate_limited_total', { tenant: 'acme' }, 5);

  const text = await metrics.text();
  assert.match(text, /clawhold_rate_limited_total\{tenant="other"\} 1\n/);
  assert.match(text, /clawhold_rate_limited_total\{tenant="_other"\} 5\n/);
});
