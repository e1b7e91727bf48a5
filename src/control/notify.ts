import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Clock } from '../contracts/clock.ts';
import { ClawholdError, FixRequestError, reasonOf } from '../contracts/errors.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { Log } from '../contracts/log.ts';
import { writeFileAtomic } from '../state/atomic-file.ts';
import type { Deliveries, DeliveryRow } from '../state/deliveries.ts';
import { makeDurableDir } from '../state/durable-dir.ts';
import type { Home } from '../state/home.ts';
import type { RunRow, Runs } from '../state/runs.ts';

/** One POST, led through the broker: private addresses are refused there, and it stands in the ledger as the run's. */
export interface NotifyPost {
  readonly tenant: TenantId;
  readonly run: RunRow;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}

export interface NotifyContext {
  readonly home: Home;
  readonly runs: Runs;
  readonly deliveries: Deliveries;
  readonly clock: Clock;
  readonly log: Log;
  readonly post: (request: NotifyPost) => Promise<{ readonly status: number }>;
  /** The value of a tenant's secret. */
  readonly secret: (tenant: TenantId, name: string) => Promise<string | undefined>;
}

/** Waits before the second, third, … attempt. After the last one it has failed. */
const retryMs = [10_000, 60_000, 5 * 60_000, 30 * 60_000];
const postMs = 15_000;
/** Longer than one attempt takes: then its process is gone, and another may try. */
const takenMs = 60_000;
const maxOutput = 256 * 1024;
const atOnce = 8;

/**
 * Sends the outputs that are due.
 *
 * Contract: at least once, and with the same id each time; an attempt that fails is repeated at most four times; what was
 * not sent when the process ended is sent by the next one.
 */
export async function deliverDue(ctx: NotifyContext, signal: AbortSignal): Promise<void> {
  for (;;) {
    const nowMs = ctx.clock.now();
    const due = signal.aborted ? [] : ctx.deliveries.take(nowMs, nowMs + takenMs, atOnce);
    if (due.length === 0) return;
    await Promise.all(due.map(async (row) => await deliver(ctx, row, signal)));
  }
}

async function deliver(ctx: NotifyContext, row: DeliveryRow, signal: AbortSignal): Promise<void> {
  const names = { tenant_id: row.tenant, run_id: row.run, job: row.job };
  const failure = await attempt(ctx, row, signal);
  if (failure === undefined) {
    ctx.deliveries.settle(row.id, { state: 'delivered', reason: '', nextMs: row.nextMs });
    ctx.log.info(`the output of job ${row.job} was delivered`, names);
    return;
  }
  const waitMs = failure.mayRetry ? retryMs[row.attempts] : undefined;
  const state = waitMs === undefined ? 'failed' : 'waiting';
  ctx.deliveries.settle(row.id, { state, reason: failure.reason, nextMs: ctx.clock.now() + (waitMs ?? 0) });
  ctx.log.warn(`the output of job ${row.job} was not delivered (${state}): ${failure.reason}`, names);
}

interface Failure {
  readonly reason: string;
  readonly mayRetry: boolean;
}

async function attempt(ctx: NotifyContext, row: DeliveryRow, signal: AbortSignal): Promise<Failure | undefined> {
  const run = ctx.runs.get(row.run);
  if (run === undefined) return { reason: `there is no run ${row.run}`, mayRetry: false };
  try {
    const output = readOutput(path.join(ctx.home.runDir(row.tenant, row.run), 'output.md'));
    if ('file' in row.target) await writeTarget(ctx.home.artifactsDir(row.tenant), row.target.file, textFor(run, output));
    else return await postTarget(ctx, { row, run, output, signal, target: row.target });
    return undefined;
  } catch (error) {
    return { reason: reasonOf(error), mayRetry: !(error instanceof ClawholdError) || error.remedy === 'retry' };
  }
}

/** What the run said, already redacted. A run that failed early left none. */
function readOutput(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** A reader must not take an old or half output for a good one. */
function textFor({ id, state, reason }: RunRow, output: string): string {
  return state === 'done' ? output : `> Run ${id} ended as ${state}: ${reason}\n\n${output}`;
}

/** @throws FixRequestError when a part of the way is a link. */
async function writeTarget(artifacts: string, file: string, text: string): Promise<void> {
  const parts = file.split('/');
  for (let depth = 0; depth <= parts.length; depth += 1) {
    const place = path.join(artifacts, ...parts.slice(0, depth));
    if (fs.lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink() === true)
      throw new FixRequestError(
        'control.notify-link',
        `The output is not written to ${file}, because ${place} is a link. Put the thing itself there.`,
      );
  }
  makeDurableDir(path.dirname(path.join(artifacts, file)));
  await writeFileAtomic(path.join(artifacts, file), text, { mode: 0o600 });
}

interface PostInput {
  readonly row: DeliveryRow;
  readonly run: RunRow;
  readonly output: string;
  readonly target: { readonly url: string; readonly secret: string };
  readonly signal: AbortSignal;
}

async function postTarget(ctx: NotifyContext, { row, run, output, target, signal }: PostInput): Promise<Failure | undefined> {
  const key = await ctx.secret(row.tenant, target.secret);
  if (key === undefined || key === '')
    return { reason: `there is no secret ${target.secret}; keep one with: clawhold secrets set ${target.secret}`, mayRetry: true };
  const body = bodyOf(row, run, output);
  const timestamp = String(Math.floor(ctx.clock.now() / 1000));
  const headers = {
    'content-type': 'application/json',
    'x-clawhold-delivery': row.id,
    'x-clawhold-timestamp': timestamp,
    'x-clawhold-signature': signatureOf(key, timestamp, body),
  };
  const limit = AbortSignal.any([signal, AbortSignal.timeout(postMs)]);
  const { status } = await ctx.post({ tenant: row.tenant, run, url: target.url, headers, body, signal: limit });
  if (status >= 200 && status < 300) return undefined;
  return { reason: `the server answered ${status}`, mayRetry: status === 408 || status === 425 || status === 429 || status >= 500 };
}

/** HMAC-SHA-256 over time and body: `sha256=` and 64 hex digits. Webhooks are signed in the same way. */
export function signatureOf(key: string, timestamp: string, body: string | Uint8Array): string {
  return `sha256=${createHmac('sha256', key).update(`${timestamp}.`).update(body).digest('hex')}`;
}

function bodyOf(row: DeliveryRow, run: RunRow, output: string): string {
  return JSON.stringify({
    delivery: row.id,
    tenant: row.tenant,
    job: row.job,
    agent: run.agent,
    run: run.id,
    slot: new Date(row.slotMs).toISOString(),
    state: run.state,
    reason: run.reason,
    output: output.slice(0, maxOutput),
    isCut: output.length > maxOutput,
  });
}
