import { systemClock } from '../contracts/clock.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { ServeConfig } from '../contracts/serve-config.ts';
import type { AdmitContext } from '../control/admit.ts';
import { openArrivals, type Arrivals } from '../control/arrivals.ts';
import { openGateway } from '../gateway/open-gateway.ts';
import type { ReadinessCheck } from '../gateway/gateway-context.ts';
import { watchReadiness } from '../gateway/watch-readiness.ts';
import { openRunFeed, type OpenRunFeed } from '../state/run-feed.ts';
import { openRuns } from '../state/runs.ts';
import { claimServe, readServeState, type ServeClaim } from '../state/serve-file.ts';
import { acceptMetrics } from '../ops/forward-metrics.ts';
import { superviseExecutors } from '../worker/supervise-executors.ts';
import type { App } from './app.ts';
import { buildId, version } from './build-id.ts';
import { openAdmission } from './open-admission.ts';
import { endOrphans } from './serve/end-orphans.ts';
import { startExecutor } from './serve/executor-process.ts';
import { defaultConcurrency, serveExecutor } from './serve/executor-parts.ts';
import { acceptEnd } from './serve/forward-ends.ts';
import { runtimeDirOf } from './sandboxes.ts';
import { addGauges } from './serve/gauges.ts';
import { gatewayContext } from './serve/gateway-parts.ts';
import { openInstallation, type Installation } from './serve/open-installation.ts';
import { checkReadiness } from './serve/readiness.ts';
import { serveScheduler } from './serve/scheduler-parts.ts';
import { openServeTools, type ServeTools } from './serve/serve-tools.ts';
import { startSweeps } from './serve/sweeps.ts';

/** What flags say instead of `serve:` in clawhold.yaml. */
export interface ServeFlags extends Pick<ServeConfig, 'host' | 'port'> {
  readonly processes?: number;
  readonly logLevel?: NonNullable<ServeConfig['telemetry']>['logLevel'];
}

export interface Served extends AsyncDisposable {
  /** Where the gateway listens. */
  readonly url: string;
  /** Reads the configuration again, for new runs; one that is wrong changes nothing. */
  reload(): Promise<void>;
  /** Signs what stands in the ledgers by now. */
  checkpoint(): Promise<void>;
  /** Stops the run in which an error was thrown that nobody caught, and logs it. */
  blame(error: unknown): void;
}

/** Who works on tasks: this process, or children of it. */
interface Workers extends AsyncDisposable {
  /** Tasks at the same time, once all of them are there. */
  readonly most: number;
  readonly slots: () => { readonly busy: number; readonly all: number };
  readonly readiness: () => ReadinessCheck;
  blame(error: unknown): boolean;
  readonly pids: () => readonly number[];
}

const defaultDrainSeconds = 30;
/** What a child process may hold beside its JavaScript heap: buffers, code, caches of the databases. */
const besideHeapMb = 256;

/**
 * The whole of Clawhold in one process: gateway, scheduler, queue and executors, for all tenants of a home.
 *
 * Disposing it stops accepting first, then finishes or gives back what is at work, then closes.
 * @throws FixRequestError when another process serves this home, or the configuration or the address is wrong.
 */
export async function openServe(app: App, flags: ServeFlags = {}): Promise<Served> {
  await using opening = new AsyncDisposableStack();
  const { dir } = await app.home();
  const claim = opening.use(claimHome(dir));
  const before = readServeState(dir).facts;
  const installation = opening.use(await openInstallation(app));
  const tools = await openServeTools(opening, { installation, env: app.env, role: 'server' });
  if (flags.logLevel !== undefined) tools.log.setLevel(flags.logLevel);
  opening.use(endOrphans({ pids: before?.executorPids ?? [], log: tools.log }));
  const { home, database, serve } = installation;
  // Nothing is accepted that could not be recorded.
  await installation.ledgerOf(app.tenant);
  const feed = opening.use(openRunFeed({ home, runs: openRuns(database) }));
  const arrivals = openArrivals();
  const admission = admissionOf(installation, tools, arrivals);
  const parts = { ...tools, installation, admission, arrivals };
  const news: { announce?: () => Promise<void> } = {};
  const workers = opening.use(startWorkers({ ...parts, app, feed, flags, changed: async () => await news.announce?.() }));
  opening.use(startSweeps(parts));
  const scheduler = serveScheduler(parts);
  const readiness = watchReadiness({
    look: async () => await checkReadiness(parts, { executors: workers.readiness, scheduler }),
    log: tools.log,
    nowMs: () => performance.now(),
  });
  addGauges({ ...parts, feed, runtimeDir: runtimeDirOf(app.env), slots: workers.slots, readiness });
  const listen = { ...serve(), ...flags };
  const gateway = await openGateway(gatewayContext({ ...parts, feed, listen, readiness }));
  opening.defer(async () => await gateway.close());
  const { url } = await gateway.listen();
  opening.defer(async () => await scheduler.stop());
  scheduler.start();
  news.announce = announcer(claim, { url, workers });
  await news.announce();
  tools.log.info('serving', { url, version: version() });
  return servedBy(opening.move(), { url, installation, tools, workers });
}

function admissionOf(installation: Installation, { queue, log, metrics }: ServeTools, arrivals: Arrivals): AdmitContext {
  const { home, database, appOf, tenants, serve } = installation;
  const maxDeliveries = serve().queue?.maxDeliveries;
  const tools = { queue, log, metrics, clock: systemClock };
  return openAdmission({ ...tools, home, database, appOf, tenants, arrivals, ...(maxDeliveries === undefined ? {} : { maxDeliveries }) });
}

interface ServedParts {
  readonly url: string;
  readonly installation: Installation;
  readonly tools: ServeTools;
  readonly workers: Workers;
}

function servedBy(stack: AsyncDisposableStack, { url, installation, tools, workers }: ServedParts): Served {
  return {
    url,
    reload: async () => await reload({ installation, ...tools }),
    blame: (error) => blame(tools, workers, error),
    checkpoint: async () => await signAll(installation),
    [Symbol.asyncDispose]: async () => {
      tools.log.info('stopping');
      await stack.disposeAsync();
    },
  };
}

async function signAll({ tenants, ledgerOf }: Installation): Promise<void> {
  for (const tenant of tenants.list()) await (await ledgerOf(tenant)).checkpoint();
}

function claimHome(dir: string): ServeClaim {
  const claim = claimServe(dir);
  if (claim !== undefined) return claim;
  const { facts } = readServeState(dir);
  const who = facts === undefined ? 'another process' : `process ${facts.pid}, at ${facts.url}`;
  throw new FixRequestError(
    'cli.already-served',
    `The home ${dir} is served already by ${who}. Use that server, or stop it first${facts === undefined ? '' : ` (kill ${facts.pid})`}.`,
  );
}

function announcer(claim: ServeClaim, { url, workers }: { readonly url: string; readonly workers: Workers }): () => Promise<void> {
  const startedMs = systemClock.now();
  return async () => {
    const executorPids = [...workers.pids()];
    const children = executorPids.length === 0 ? {} : { executorPids };
    const facts = { pid: process.pid, url, startedMs, version: version(), build: buildId(), executorSlots: workers.most, ...children };
    await claim.announce(facts);
  };
}

interface WorkerParts extends ServeTools {
  readonly app: App;
  readonly arrivals: Arrivals;
  readonly installation: Installation;
  readonly feed: OpenRunFeed;
  readonly flags: ServeFlags;
  /** Called when child processes came or went. */
  readonly changed: () => Promise<void>;
}

function startWorkers(parts: WorkerParts): Workers {
  const { installation, flags } = parts;
  const { executors, drainSeconds = defaultDrainSeconds } = installation.serve();
  const processes = flags.processes ?? executors?.processes ?? 0;
  const own = executors?.concurrency ?? (processes > 0 ? 0 : defaultConcurrency);
  if (processes === 0) return ownWorkers(parts, own, drainSeconds);
  const children = childWorkers(parts, processes, drainSeconds);
  return own === 0 ? children : both(ownWorkers(parts, own, drainSeconds), children);
}

/** The server works itself, beside its children. */
function both(own: Workers, children: Workers): Workers {
  return {
    most: own.most + children.most,
    slots: () => {
      const [here, there] = [own.slots(), children.slots()];
      return { busy: here.busy + there.busy, all: here.all + there.all };
    },
    readiness: children.readiness,
    blame: (error) => own.blame(error),
    pids: children.pids,
    [Symbol.asyncDispose]: async () => void (await Promise.all([own[Symbol.asyncDispose](), children[Symbol.asyncDispose]()])),
  };
}

function ownWorkers(parts: WorkerParts, concurrency: number, drainSeconds: number): Workers {
  const { feed } = parts;
  const executor = serveExecutor({ ...parts, concurrency, publish: (run, event) => feed.publish(run, event) });
  executor.start();
  return {
    most: concurrency,
    slots: () => ({ busy: executor.busy, all: concurrency }),
    readiness: () => ({ name: 'executors', isReady: true }),
    blame: (error) => executor.blame(error),
    pids: () => [],
    [Symbol.asyncDispose]: async () => await executor.drain(drainSeconds * 1000),
  };
}

function childWorkers(parts: WorkerParts, count: number, drainSeconds: number): Workers {
  const { app, installation, feed, log, queue, metrics } = parts;
  const { perProcess = 1, memoryMb = 512, idleSeconds } = installation.serve().executors ?? {};
  const busy = new Map<number, number>();
  const supervisor = superviseExecutors({
    queue,
    count,
    log,
    metrics,
    stopMs: drainSeconds * 1000 + 15_000,
    maxMemoryBytes: (memoryMb + besideHeapMb) * 2 ** 20,
    start: (slot) => {
      busy.delete(slot);
      const told = (message: unknown): void => {
        if (!acceptEnd(feed, message)) busy.set(slot, acceptMetrics(metrics, message)?.busy ?? 0);
      };
      return startExecutor({ env: app.env, cwd: app.cwd, memoryMb, slot, told });
    },
    changed: () => void parts.changed().catch(() => undefined),
  });
  return {
    most: count * perProcess,
    slots: () => ({ busy: sumOf(busy.values()), all: supervisor.pids.length * perProcess }),
    readiness: () => ({ name: 'executors', isReady: idleSeconds !== undefined || supervisor.pids.length > 0 }),
    blame: () => false,
    pids: () => supervisor.pids,
    [Symbol.asyncDispose]: async () => await supervisor.stop(),
  };
}

function sumOf(values: Iterable<number>): number {
  return [...values].reduce((sum, value) => sum + value, 0);
}

async function reload({ installation, log }: ServeTools & { readonly installation: Installation }): Promise<void> {
  try {
    await installation.reload();
    log.setLevel(installation.serve().telemetry?.logLevel ?? 'info');
    log.info('the configuration was read again; new runs begin with it');
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    log.error('the configuration is wrong; the old one stays in force', { code, reason: message });
  }
}

function blame({ log }: ServeTools, workers: Workers, error: unknown): void {
  if (workers.blame(error)) return;
  log.error('an error was thrown that nobody caught', { reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
