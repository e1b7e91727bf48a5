import { ClawholdError, namesPlace, placelessReasonOf } from '../contracts/errors.ts';
import { reachesClass, type BoundaryClass, type SandboxFacts } from '../contracts/isolation.ts';
import type { DriverChoice } from '../sandbox/open-sandbox.ts';
import { SandboxRequestError, SandboxUnavailableError } from '../sandbox/sandbox-error.ts';
import type { LimitName, Sandbox, SandboxDriver, SandboxLimits, SandboxSpec } from '../sandbox/sandbox.ts';
import type { CommandDoor, CommandOutcome, CommandToRun } from './command-door.ts';

export interface RunShellOptions {
  /** Opened when the first command, or the choice, needs them. */
  readonly drivers: () => Promise<readonly SandboxDriver[]>;
  /** A driver's name, or `auto`. */
  readonly wanted: string;
  /** Limits that a human set: a sandbox that cannot hold one of them is refused. */
  readonly limits: SandboxLimits;
  /** Without its limits, which follow from what the chosen driver can hold. */
  readonly spec: Omit<SandboxSpec, 'limits'>;
  /** The way out of the sandbox, opened with it; absent: there is none. */
  readonly egress?: () => Promise<EgressWay | undefined>;
  /** Takes away what dead processes left; before the first start. */
  readonly reap: () => Promise<unknown>;
}

/**
 * The sandbox of one run: chosen when the run is accepted, started at its first command, used for all further ones,
 * gone at its end.
 *
 * Contract: nothing runs outside a sandbox of the chosen driver and class; a sandbox that died is not replaced within
 * the process, so that what follows does not run in an environment that the model does not know of; a resumed run gets
 * a new one of the same driver and class, and the first result says so.
 */
export interface RunShell extends CommandDoor, AsyncDisposable {
  /** Probes and chooses. A refusal is a value: the run goes on without commands. `notices` are for people. */
  choose(minimum: BoundaryClass): Promise<{ readonly facts: SandboxFacts; readonly notices: readonly string[] }>;
  /** For a resumed run: the driver and class that its record names, and no other. */
  adopt(facts: SandboxFacts | undefined, hadCommands: boolean): void;
}

export function openRunShell(options: RunShellOptions): RunShell {
  const state: ShellState = { isReplaced: false };
  return {
    choose: async (minimum) => await choose(options, state, minimum),
    adopt(facts, hadCommands) {
      state.facts = facts;
      state.isReplaced = hadCommands;
    },
    run: async (command, signal) => await run(options, state, { command, signal }),
    async [Symbol.asyncDispose]() {
      state.end = 'the run has ended';
      const sandbox = state.sandbox ?? (await state.starting?.catch(() => undefined)); // silent-ok: its command was told
      await sandbox?.stop();
      await state.egress?.[Symbol.asyncDispose]();
    },
  };
}

/** The only way out of a sandbox, and what its commands must know of it. */
export interface EgressWay extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>;
  /** By name of a secret: what stands in its place. */
  readonly placeholders: ReadonlyMap<string, string>;
  /** The command as it is started: behind what leads its traffic to the way out. */
  wrap(argv: readonly string[]): readonly string[];
}

interface ShellState {
  egress?: EgressWay | undefined;
  facts?: SandboxFacts | undefined;
  choice?: DriverChoice;
  sandbox?: Sandbox;
  /** While the first commands of a run wait for it: they share one. */
  starting?: Promise<Sandbox> | undefined;
  /** Why there will be no sandbox any more. */
  end?: string;
  isReplaced: boolean;
}

async function choose(options: RunShellOptions, state: ShellState, minimum: BoundaryClass): ReturnType<RunShell['choose']> {
  try {
    await options.reap();
    state.choice = await chooseHere(options, options.wanted, minimum);
    const { driver, probe } = state.choice;
    const { limits, missing } = await limitsOf(options, state.choice);
    refuseUnheld(driver.name, options.limits, limits);
    const network = options.spec.network === 'none' ? 'none' : 'egress';
    state.facts = { available: true, driver: driver.name, isolation: probe.isolation, network };
    const unheld = missing.filter((name) => !(name in options.limits));
    const notices = unheld.length === 0 ? [] : [`Nothing on this machine can hold these limits of a sandbox: ${unheld.join(', ')}.`];
    return { facts: state.facts, notices };
  } catch (error) {
    if (!(error instanceof ClawholdError)) throw error;
    state.facts = { available: false, reason: placelessReasonOf(error) };
    // What a run is refused for is in its record; where that lies on this machine is for who starts it here.
    return { facts: state.facts, notices: namesPlace(error.message) ? [error.message] : [] };
  }
}

async function chooseHere(options: RunShellOptions, wanted: string, minimum: BoundaryClass): Promise<DriverChoice> {
  const { chooseDriver } = await import('../sandbox/open-sandbox.ts');
  return await chooseDriver({ drivers: await options.drivers(), wanted, minimum });
}

async function limitsOf(
  { limits }: RunShellOptions,
  { probe }: DriverChoice,
): Promise<{ limits: SandboxLimits; missing: readonly string[] }> {
  const { limitsFor } = await import('../sandbox/open-sandbox.ts');
  const { wallMs: _, ...defaults } = limitsFor(probe).limits;
  return { limits: { ...defaults, ...heldBy(limits, probe.limits) }, missing: limitsFor(probe).missing };
}

function heldBy(limits: SandboxLimits, held: Readonly<Partial<Record<LimitName, unknown>>>): SandboxLimits {
  return Object.fromEntries(Object.entries(limits).filter(([name]) => held[name as LimitName] !== undefined));
}

/** @throws SandboxUnavailableError when a limit that a human set cannot be held. */
function refuseUnheld(driver: string, wanted: SandboxLimits, held: SandboxLimits): void {
  const unheld = Object.keys(wanted).filter((name) => !(name in held));
  if (unheld.length > 0)
    throw new SandboxUnavailableError(driver, `nothing on this machine can hold ${unheld.join(', ')}`, 'Take that limit out of agent.yaml');
}

interface Asked {
  readonly command: CommandToRun;
  readonly signal: AbortSignal;
}

async function run(options: RunShellOptions, state: ShellState, asked: Asked): Promise<CommandOutcome> {
  if (state.end !== undefined) return { kind: 'unavailable', reason: state.end };
  try {
    state.sandbox ??= await startOnce(options, state, asked.signal);
  } catch (error) {
    if (!(error instanceof ClawholdError)) throw error;
    return { kind: 'unavailable', reason: placelessReasonOf(error) };
  }
  return await execute(state, state.sandbox, asked);
}

async function startOnce(options: RunShellOptions, state: ShellState, signal: AbortSignal): Promise<Sandbox> {
  state.starting ??= start(options, state, signal).finally(() => (state.starting = undefined));
  return await state.starting;
}

async function start(options: RunShellOptions, state: ShellState, signal: AbortSignal): Promise<Sandbox> {
  const { facts } = state;
  if (facts?.available !== true) throw new SandboxUnavailableError(options.wanted, facts?.reason ?? 'none was chosen', 'Grant it first');
  if (state.choice === undefined) {
    await options.reap();
    state.choice = await chooseHere(options, facts.driver, 'namespace');
    const { isolation } = state.choice.probe;
    if (!reachesClass(isolation, facts.isolation))
      throw new SandboxUnavailableError(facts.driver, `it is of the class ${isolation} now, not ${facts.isolation}`, 'Repair it');
  }
  const { limits } = await limitsOf(options, state.choice);
  refuseUnheld(facts.driver, options.limits, limits);
  // It stays when the start fails: a run has one, for the next try as well.
  state.egress ??= await options.egress?.();
  const env = { ...options.spec.env, ...state.egress?.env };
  // A way out is one run's own, and so is a sandbox with it.
  return await state.choice.driver.start({ ...options.spec, env, limits }, { signal, again: state.egress === undefined });
}

async function execute(state: ShellState, sandbox: Sandbox, { command, signal }: Asked): Promise<CommandOutcome> {
  const { argv, cwd, env, stdin, seconds, maxStdoutBytes, maxStderrBytes } = command;
  const given = { ...(cwd === undefined ? {} : { cwd }), ...(env === undefined ? {} : { env }), ...(stdin === undefined ? {} : { stdin }) };
  try {
    const result = await sandbox.exec(state.egress?.wrap(argv) ?? argv, {
      ...given,
      wallMs: seconds * 1000,
      maxStdoutBytes,
      maxStderrBytes,
      signal,
    });
    const { isReplaced } = state;
    state.isReplaced = false;
    return { kind: 'ran', result, isReplaced };
  } catch (error) {
    if (error instanceof SandboxRequestError) return { kind: 'refused', reason: placelessReasonOf(error) };
    state.end = 'the sandbox of this run died, and no other takes its place within the run';
    await sandbox.stop().catch(() => {}); // silent-ok: what is left is taken away at the next start
    return { kind: 'died', reason: placelessReasonOf(error) };
  }
}
