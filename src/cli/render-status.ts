import { counted } from '../contracts/counted.ts';
import { makeVisible } from '../governance/visible.ts';
import type { StatusReport, TenantStatus } from '../ops/read-status.ts';
import { table, type Palette } from './io.ts';

/** One frame of `status` and `top`, for people. */
export function renderStatus(report: StatusReport, color: Palette): string {
  const { tenants, atMs } = report;
  const sum = (of: (tenant: TenantStatus) => number): number => tenants.reduce((total, tenant) => total + of(tenant), 0);
  const rows = tenants.map((one) => [
    one.tenant,
    one.state,
    String(one.ready),
    String(one.leased),
    String(one.scheduled),
    String(one.dead),
    String(one.running),
    String(one.waiting),
    String(one.startedToday),
    `${one.usdToday.toFixed(2)}/${one.usdPerDay.toFixed(2)}`,
    String(one.sandboxes),
  ]);
  const heads = ['TENANT', 'STATE', 'READY', 'LEASED', 'SCHEDULED', 'DEAD', 'RUNNING', 'WAITING', 'TODAY', 'USD', 'SANDBOXES'];
  const conditions = tenants.flatMap((one) => one.conditions.map((text) => `${color.yellow('!')} ${one.tenant}: ${makeVisible(text)}`));
  return [
    `server     ${serverLine(report, color)}`,
    `executors  ${executorLine(report)}`,
    `queue      ${sum((one) => one.ready)} ready, ${sum((one) => one.leased)} under way, ${sum((one) => one.scheduled)} scheduled, ${sum((one) => one.dead)} dead`,
    `runs       ${sum((one) => one.startedToday)} today, ${sum((one) => one.running)} running, ${sum((one) => one.waiting)} waiting for a human`,
    `cost       ${sum((one) => one.usdToday).toFixed(2)} USD today (UTC)`,
    '',
    table([heads, ...rows]),
    ...(conditions.length === 0 ? [] : ['', ...conditions]),
    ...(report.runs.length === 0
      ? []
      : ['', table([['RUN', 'TENANT', 'AGENT', 'FOR', 'TURNS', 'USD'], ...report.runs.map((run) => runCells(run, atMs))])]),
  ].join('\n');
}

function serverLine({ server, atMs }: StatusReport, color: Palette): string {
  if (server.state === 'not-running') return color.dim('not running; start it with clawhold serve');
  const since = server.startedMs === undefined ? '' : `, up ${duration(atMs - server.startedMs)}`;
  const who = `${server.url ?? ''} (pid ${server.pid ?? '?'}${since})`;
  return server.state === 'ready'
    ? `${color.green('ready')} at ${who}`
    : `${color.red('not ready')} at ${who}: ${makeVisible(server.why ?? '')}`;
}

function executorLine({ server, executors: { busy, slots, pids } }: StatusReport): string {
  if (server.state === 'not-running')
    return busy === 0 ? 'none' : `none; ${counted(busy, 'task')} held by ended ones until their leases run out`;
  const where =
    pids.length === 0 ? 'in the server' : `${counted(pids.length, 'child process', 'child processes')} (pid ${pids.join(', ')})`;
  return slots === undefined ? `${busy} busy` : `${busy} of ${slots} busy, ${where}`;
}

function runCells(run: StatusReport['runs'][number], atMs: number): string[] {
  const cost = run.costMicroUsd === undefined ? '' : (run.costMicroUsd / 1e6).toFixed(4);
  return [run.id, run.tenant, run.agent, duration(atMs - (run.startedMs ?? run.createdMs)), String(run.turns), cost];
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
