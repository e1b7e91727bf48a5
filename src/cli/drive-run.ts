import type { RunEvent } from '../agent/run-events.ts';
import type { Remedy } from '../contracts/errors.ts';
import type { ApprovalSurface, RunItem, RunTotals } from '../contracts/run.ts';
import { makeVisible } from '../governance/visible.ts';
import { runItem } from '../worker/run-item.ts';
import { startRun } from '../worker/start-run.ts';
import type { ItemOutcome, WorkerContext } from '../worker/worker-context.ts';
import type { CommandContext } from './command.ts';
import type { leftOfDay } from './day-budget.ts';
import { describeTotals } from './describe-totals.ts';
import { exitCodeOfRun, type ExitCode } from './exit-codes.ts';
import { renderForPeople } from './render-events.ts';
import type { RunFlags } from './run-options.ts';

/** A run that came to its end, and still is no success for who asked. */
export interface DrivenOutcome extends ItemOutcome {
  readonly failure?: { readonly code: string; readonly message: string; readonly remedy: Remedy; readonly exitCode: ExitCode };
}

/** Runs an item through the worker, shows it, prints its result and sets the exit code. */
export async function driveItem(context: CommandContext, item: RunItem, flags: RunFlags): Promise<void> {
  const { withinDay } = await import('./day-budget.ts');
  await drive(context, flags, async (worker, left) => {
    const runners = { agent: async (one: RunItem, signal: AbortSignal) => await startRun(worker, one, signal) };
    return await runItem(runners, withinDay(item, left), context.signal);
  });
  (await context.app.sessions()).setLastRun(item.sessionId, item.runId);
}

/** The same for any way to get an outcome out of a worker. */
export async function drive(
  context: CommandContext,
  flags: Pick<RunFlags, 'approvals' | 'events'>,
  work: (worker: WorkerContext, left: Awaited<ReturnType<typeof leftOfDay>>) => Promise<DrivenOutcome>,
): Promise<DrivenOutcome> {
  const { app, io } = context;
  const left = await (await import('./day-budget.ts')).leftOfDay(app);
  const shown = showEvents(context, flags);
  const surface = flags.approvals ?? surfaceOf(context, 'deny');
  const { askTerminal } = await import('./ask-terminal.ts');
  const worker = await app.worker({
    emit: shown.emit,
    surface,
    askTerminal: async (approval, signal) => await askTerminal(io, approval, signal),
  });
  for (const message of app.notices) shown.emit({ type: 'notice', message });
  const outcome = await work(worker, left);
  await printOutcome(context, { outcome, shown, isEvents: flags.events === true });
  context.exit(outcome.failure?.exitCode ?? exitCodeOfRun(outcome));
  return outcome;
}

/** Where questions go when no flag says it. */
export function surfaceOf({ io }: CommandContext, withoutTerminal: ApprovalSurface): ApprovalSurface {
  return io.isTerminal && !io.isJson ? 'terminal' : withoutTerminal;
}

interface Shown {
  readonly emit: (event: RunEvent) => void;
  readonly notices: string[];
  started?: Extract<RunEvent, { type: 'run.started' }>;
  totals?: RunTotals;
}

/** NDJSON for `--events`, silence for `--json`, prose for people. */
function showEvents({ io }: CommandContext, flags: Pick<RunFlags, 'events'>): Shown {
  const show =
    flags.events === true ? (event: RunEvent): void => io.out(`${JSON.stringify(event)}\n`) : io.isJson ? undefined : renderForPeople(io);
  const shown: Shown = {
    notices: [],
    emit: (event) => {
      if (event.type === 'notice') shown.notices.push(event.message);
      if (event.type === 'run.started') shown.started = event;
      if (event.type === 'run.ended') shown.totals = event.totals;
      show?.(event);
    },
  };
  return shown;
}

async function printOutcome(
  { app, io }: CommandContext,
  { outcome, shown, isEvents }: { readonly outcome: DrivenOutcome; readonly shown: Shown; readonly isEvents: boolean },
): Promise<void> {
  if (isEvents) return;
  const bundle = (await app.home()).runDir(app.tenant, outcome.run);
  if (io.isJson) {
    const { model, isScripted } = shown.started ?? { model: undefined, isScripted: undefined };
    const { failure, ...run } = outcome;
    const facts = { ...run, model, isScripted, totals: shown.totals, bundle, notices: shown.notices };
    const error = failure === undefined ? errorOf(outcome) : { code: failure.code, message: failure.message, remedy: failure.remedy };
    io.out(`${JSON.stringify({ ok: error === undefined, ...(error === undefined ? {} : { error }), ...facts })}\n`);
    return;
  }
  const hint = outcome.state === 'waiting' ? `; answer with: clawhold approvals show ${outcome.waiting[0] ?? ''}` : '';
  if (outcome.state !== 'done') io.err(`${io.color.yellow(outcome.state)}: ${makeVisible(outcome.detail ?? outcome.reason)}${hint}\n`);
  io.err(io.color.dim(`${outcome.state}  ${shown.totals === undefined ? '' : describeTotals(shown.totals)}\nrecord ${bundle}\n`));
}

function errorOf({ state, code, reason, detail = reason }: ItemOutcome): { code: string; message: string; remedy: Remedy } | undefined {
  return state === 'done' ? undefined : { code: code ?? `run.${state}`, message: detail, remedy: remedyOf(state) };
}

function remedyOf(state: string): Remedy {
  if (state === 'waiting') return 'ask-human';
  return state === 'cancelled' || state === 'limited' ? 'retry' : 'give-up';
}
