import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation } from './installation.ts';
import { serveHome } from './served.ts';

const file = path.join(import.meta.dirname, '../../deploy/grafana/clawhold.json');

/** Metrics that the dashboard draws and of which a scrape has no sample. */
function undrawn(scrape: string): string[] {
  const { panels } = JSON.parse(fs.readFileSync(file, 'utf8')) as {
    readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
  };
  const exprs = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const drawn = new Set(exprs.flatMap((expr) => [...expr.matchAll(/clawhold_\w+/g)].map(([name]) => name)));
  return [...drawn].filter((name) => !new RegExp(`^${name}(\\{[^\\n]*\\})? \\S`, 'm').test(scrape));
}

/** One request with a page that is read, one that the broker refuses, and somebody whom nobody knows. */
async function scrapeAfterRun(t: TestContext, args: readonly string[]): Promise<string> {
  const web = createServer((_, response) => response.end('the page')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => void web.close());
  const site = `pages.test:${(web.address() as AddressInfo).port}`;
  const fetchIt = (headers: object): { name: string; args: object } => ({ name: 'http_fetch', args: { url: `http://${site}/`, headers } });
  const withKey = { authorization: 'Bearer {{secret:API_KEY}}' };
  const turns = [{ toolCalls: [fetchIt({})] }, { toolCalls: [fetchIt(withKey)] }, { text: 'read it' }];
  await using model = await startOpenAiServer({ turns });
  using one = newInstallation({
    openAi: model.baseUrl,
    clawholdYaml: `model: test/model\negress:\n  loopback: ['${site}']\n`,
    agentYaml: `workspace: workspace\ngrants:\n  http.fetch: { hosts: ['${site}'], methods: [GET] }\n`,
  });
  one.write('.clawhold/tenants/default/agents/main/TOOLS.md', 'The header is authorization: Bearer {{secret:API_KEY}}\n');
  one.write('.clawhold/tenants/default/broker.yaml', 'version: 1\ntools: {}\n');
  const kept = await one.cli(['secrets', 'set', 'API_KEY', '--host', site], { stdin: 'made-up-value-1-of-this-test\n' }); // not-a-secret: made up
  assert.equal(kept.code, 0, kept.stderr);
  await using served = await serveHome(one, args);
  const run = await served.post(`Read http://${site}/ for me, twice.`);
  const ended = await served.reached(run, 'done', 'failed', 'denied', 'waiting');
  assert.equal(ended.state, 'done', JSON.stringify(ended));
  await fetch(`${served.url}/api/v1/runs`, { headers: { authorization: 'Bearer nobody' } });
  for (let scrape = ''; ;) {
    scrape = String((await served.ask('GET', '/metrics')).json);
    // A child process tells its figures once a second.
    if (scrape.includes('clawhold_runs_total{')) return scrape;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

for (const [where, args] of [
  ['in the server', []],
  ['in a child process', ['--executors', '1']],
] as const) {
  test(`every metric of the dashboard has samples after a run ${where}, and each step is counted once`, async (t) => {
    const scrape = await scrapeAfterRun(t, args);

    assert.deepEqual(undrawn(scrape), []);
    for (const line of [
      'clawhold_tool_calls_total{tenant="default",tool="http.fetch",decision="allow"} 2',
      'clawhold_task_wait_seconds_count{tenant="default"} 1',
      'clawhold_turn_duration_seconds_count{tenant="default"} 1',
      'clawhold_tasks_total{tenant="default",outcome="done"} 1',
      'clawhold_broker_grants_total{tenant="default"} 1',
      'clawhold_runs_total{tenant="default",state="done",door="http"} 1',
    ])
      assert.ok(scrape.includes(`${line}\n`), `${line}\n${scrape}`);
  });
}

test('sabotage: a metric that is declared and drawn but never told is found', () => {
  const all = [...fs.readFileSync(file, 'utf8').matchAll(/clawhold_\w+/g)].map(([name]) => `${name}{tenant="a"} 1`);
  const scrape = all.filter((line) => !line.startsWith('clawhold_task_wait')).join('\n');

  assert.deepEqual(undrawn(scrape), ['clawhold_task_wait_seconds_bucket']);
  assert.deepEqual(undrawn('# TYPE clawhold_ready gauge\n').includes('clawhold_ready'), true);
});
