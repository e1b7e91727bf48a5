import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { counters, gauges, histograms, type MetricRow } from '../contracts/metric-table.ts';
import { openMetrics } from './open-metrics.ts';

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets: readonly { readonly expr: string }[];
}

const file = path.join(import.meta.dirname, '..', '..', 'deploy', 'grafana', 'clawhold.json');
const dashboard = JSON.parse(fs.readFileSync(file, 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
};
const rows: Readonly<Record<string, MetricRow>> = { ...counters, ...histograms, ...gauges };

/** What an expression names that openMetrics does not have: metrics, and labels of a metric. */
function unknownIn(expr: string, scraped: ReadonlySet<string>): string[] {
  return [...expr.matchAll(/clawhold_(\w+)(?:\{([^}]*)\})?/g)].flatMap(([, written = '', selectors = '']) => {
    const name = scraped.has(written) ? written : written.replace(/_(bucket|sum|count)$/, '');
    if (!scraped.has(name)) return [written];
    const labels = [...selectors.matchAll(/(\w+)\s*[=!]/g)].map(([, label = '']) => label);
    return labels.filter((label) => !rows[name]?.labels.includes(label)).map((label) => `${name}{${label}}`);
  });
}

async function scrapedNames(): Promise<Set<string>> {
  const metrics = openMetrics({ version: '0' });
  for (const name of Object.keys(gauges)) metrics.gauge(name as 'ready', () => []);
  return new Set([...(await metrics.text()).matchAll(/^# HELP clawhold_(\w+) /gm)].map(([, name = '']) => name));
}

test('every metric and label of the dashboard is one that a scrape has', async () => {
  const scraped = await scrapedNames();

  const unknown = dashboard.panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => unknownIn(expr, scraped)));

  assert.deepEqual(unknown, []);
});

test('sabotage: a metric or label that does not exist is found', async () => {
  const scraped = await scrapedNames();

  assert.deepEqual(unknownIn('sum(clawhold_queue_depth{tenant="a"}) + clawhold_queue_tasks{shard="1"}', scraped), [
    'queue_depth',
    'queue_tasks{shard}',
  ]);
});

test('the dashboard shows queue depth, executors, latency and cost, and no panel lies on another', () => {
  const shown = dashboard.panels.map(({ targets }) => targets.map(({ expr }) => expr).join(' ')).join(' ');
  for (const name of [
    'queue_tasks',
    'executors',
    'http_request_duration_seconds',
    'task_duration_seconds',
    'model_cost_usd_total',
    'sandboxes',
    'broker_grants_total',
    'broker_denials_total',
  ])
    assert.match(shown, new RegExp(`clawhold_${name}`));
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
  );
  assert.equal(new Set(cells).size, cells.length);
  assert.ok(cells.every((cell) => Number(cell.split(' ')[0]) < 24));
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
});
