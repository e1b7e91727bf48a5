import { performance } from 'node:perf_hooks';
import type { AgentId, TenantId } from '../src/contracts/ids.ts';
import type { PolicyRequest } from '../src/contracts/policy.ts';
import { decide } from '../src/governance/decide.ts';
import { compilePolicy, type PolicySnapshot } from '../src/governance/policy-snapshot.ts';
import { describeCoreTools } from '../src/tools/tool-set.ts';

/**
 * Time of one decision at 10, 100 and 1000 rules, of which a third concerns the tool that is called, beside two
 * baselines of the same run: an empty function and JSON.stringify of the request. The policy is compiled with the tools
 * there are, as for every run. Prints a Markdown table.
 */
function main(): void {
  const request = writeRequest();
  const rows: [string, number[]][] = [
    ['empty function', measure(() => undefined)],
    ['JSON.stringify of the request', measure(() => JSON.stringify(request))],
  ];
  for (const rules of [10, 100, 1000]) {
    const policy = policyOf(rules);
    if (decide(request, policy).verdict !== 'allow') throw new Error('the measured call must be allowed');
    const denied = { ...request, resources: [{ ...request.resources[0], path: 'secret-1/a.md' }] } as PolicyRequest;
    if (decide(denied, policy).verdict !== 'deny') throw new Error('the other measured call must be denied');
    rows.push([`decide, ${rules} rules, allowed`, measure(() => decide(request, policy))]);
    rows.push([`decide, ${rules} rules, denied`, measure(() => decide(denied, policy))]);
  }
  process.stdout.write('| what | p50 µs | p99 µs |\n|---|---|---|\n');
  for (const [name, times] of rows) process.stdout.write(`| ${name} | ${percentile(times, 0.5)} | ${percentile(times, 0.99)} |\n`);
}

function policyOf(count: number): PolicySnapshot {
  const rules = Array.from({ length: count }, (_, index) => ruleText(index)).join('\n');
  const files = [
    { layer: 'platform', file: 'policies/platform.yaml', text: `version: 1\nrules:\n${rules}\n  - { id: last, allow: "*" }\n` },
    { layer: 'tenant', file: 'policy.yaml', text: 'version: 1\nrules: [{ id: all, allow: "*" }]\n' },
    { layer: 'agent', file: 'agent.yaml', text: 'version: 1\ngrants: { fs.write: { paths: ["docs/**", "reports/*.md"] } }\n' },
  ] as const;
  return compilePolicy(files, { tools: describeCoreTools() });
}

function ruleText(index: number): string {
  if (index % 3 === 0) return `  - { id: r${index}, deny: "fs.*", paths: ["secret-${index + 1}/**", "**/.private-${index}"] }`;
  if (index % 3 === 1) return `  - { id: r${index}, ask: mail.send, args: { to: ["*@host-${index}.example"] } }`;
  return `  - { id: r${index}, allow: http.fetch, hosts: ["host-${index}.example"] }`;
}

function writeRequest(): PolicyRequest {
  return {
    tenant: 'default' as TenantId,
    agent: 'scribe' as AgentId,
    principal: { kind: 'user', id: 'local' },
    tool: 'fs.write',
    effects: ['mutating'],
    args: { path: 'docs/guide/start.md', content: 'A page of text. '.repeat(20) },
    resources: [{ kind: 'file', argument: 'path', root: 'workspace', path: 'docs/guide/start.md', access: 'write' }],
    labels: [{ argument: 'path', role: 'destination', label: { trust: 'untrusted', source: 'tool:fs.read' } }],
    run: { hasPrivate: false, hasUntrusted: true },
    nowMs: 0,
  };
}

/** Microseconds a call, from batches of 100 after a warm-up. */
function measure(call: () => unknown): number[] {
  for (let warm = 0; warm < 20_000; warm += 1) call();
  return Array.from({ length: 400 }, () => {
    const start = performance.now();
    for (let each = 0; each < 100; each += 1) call();
    return (performance.now() - start) * 10;
  });
}

function percentile(times: readonly number[], share: number): string {
  return (times.toSorted((a, b) => a - b)[Math.floor(times.length * share)] ?? Number.NaN).toFixed(3);
}

main();
