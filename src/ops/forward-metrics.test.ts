import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Metrics } from '../contracts/metrics.ts';
import { acceptMetrics, forwardMetrics, type MetricsMessage } from './forward-metrics.ts';
import { openMetrics } from './open-metrics.ts';

const never = { everyMs: 1_000_000 };

test('what a process counted is told as increments and stands in the scrape of another', async () => {
  const sent: MetricsMessage[] = [];
  using told = forwardMetrics({ send: (message) => void sent.push(message), busy: () => 2, ...never });
  const scraped = openMetrics({ version: '0' });

  told.count('tasks_total', { tenant: 'acme', outcome: 'done' });
  told.count('tasks_total', { tenant: 'acme', outcome: 'done' }, 2);
  told.observe('task_wait_seconds', 0.02, { tenant: 'acme' });
  told.flush();
  told.flush();
  told.count('tasks_total', { tenant: 'acme', outcome: 'done' });
  told.flush();
  const accepted = sent.map((message) => acceptMetrics(scraped, JSON.parse(JSON.stringify(message))));

  const text = await scraped.text();
  assert.deepEqual(accepted, [{ busy: 2 }, { busy: 2 }]);
  assert.match(text, /clawhold_tasks_total\{tenant="acme",outcome="done"\} 4\n/);
  assert.match(text, /clawhold_task_wait_seconds_count\{tenant="acme"\} 1\n/);
});

test('a message that names what the table has not, or is none, is not counted at all', () => {
  const counted: string[] = [];
  const metrics: Metrics = { count: (name) => void counted.push(name), observe: (name) => void counted.push(name) };
  const good = ['tasks_total', { tenant: 'a', outcome: 'done' }, 1];
  const wrong = [
    undefined,
    'idle',
    { kind: 'metrics', busy: 1, counts: [good, ['no_such_total', {}, 1]], seconds: [] },
    { kind: 'metrics', busy: 1, counts: [good, ['tasks_total', { path: '/etc' }, 1]], seconds: [] },
    { kind: 'metrics', busy: 1, counts: [good, ['__proto__', {}, 1]], seconds: [] },
    { kind: 'metrics', busy: 1, counts: [good], seconds: [['tasks_total', {}, 1]] },
    { kind: 'metrics', busy: -1, counts: [good], seconds: [] },
    { kind: 'metrics', busy: 1, counts: Array.from({ length: 5001 }, () => good), seconds: [] },
    { kind: 'metrics', busy: 1, counts: [good], seconds: [], more: 1 },
  ];

  const answers = wrong.map((message) => acceptMetrics(metrics, message));

  assert.deepEqual([answers.filter((answer) => answer !== undefined), counted], [[], []]);
});

test('sabotage: a good message is counted, and what is kept for a reader is bounded', () => {
  const counted: string[] = [];
  const metrics: Metrics = { count: (name) => void counted.push(name), observe: (name) => void counted.push(name) };
  const sent: MetricsMessage[] = [];
  using told = forwardMetrics({ send: (message) => void sent.push(message), busy: () => 0, ...never });

  for (let n = 0; n < 20_000; n += 1) {
    told.observe('task_wait_seconds', n, { tenant: 'acme' });
    told.count('tasks_total', { tenant: `t${n}`, outcome: 'done' });
  }
  told.flush();

  assert.deepEqual([sent[0]?.seconds.length, sent[0]?.counts.length], [5000, 5000]);
  assert.notEqual(acceptMetrics(metrics, sent[0]), undefined);
  assert.equal(counted.length, 10_000);
});
