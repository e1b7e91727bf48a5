import { Command, CommanderError, Option } from 'commander';
import { RunStopped } from '../agent/run-signal.ts';
import { FixRequestError } from '../contracts/errors.ts';
import { parseTenantId, type TenantId } from '../contracts/ids.ts';
import { version } from './build-id.ts';
import { commandExamples } from './command-examples.ts';
import type { CommandContext } from './command.ts';
import { commandTable } from './command-table.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { processIo } from './process-io.ts';
import { report } from './report.ts';
import { pathOf, unknownCommand, usageError } from './usage-sentence.ts';
import { processEnv, wire } from './wire.ts';

/** Runs one command line to its end and gives the exit code. */
export async function runCli(given: readonly string[]): Promise<ExitCode> {
  const { argv: words, tenants } = takeTenant(given);
  const argv = withHelpAsFlag(words);
  const env = processEnv();
  const io = processIo(env['NO_COLOR'] === undefined || env['NO_COLOR'] === '');
  io.isJson = flagsOf(argv).some((word) => word === '--json' || word === '--events');
  let code: ExitCode = exitCodes.done;
  const stop = stopOnSignals(io);
  try {
    await using app = wire({ env, cwd: process.cwd(), ...tenantFrom(tenants) });
    const context: CommandContext = { app, io, signal: stop.signal, exit: (wanted) => void (code = wanted) };
    const program = await programFor(argv, context);
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!isHelp(error)) code = report(io, error);
  } finally {
    stop.off();
  }
  return code;
}

interface TakenTenant {
  readonly argv: readonly string[];
  /** What stood behind each `--tenant`. */
  readonly tenants: readonly (string | undefined)[];
}

/** `--tenant NAME` may stand anywhere before `--`: everything is opened as that tenant, before a command is looked for. */
function takeTenant(given: readonly string[]): TakenTenant {
  const argv: string[] = [];
  const tenants: (string | undefined)[] = [];
  const end = flagsOf(given).length;
  for (let at = 0; at < given.length; at += 1) {
    const word = given[at] ?? '';
    if (at >= end || !/^--tenant(=|$)/.test(word)) argv.push(word);
    else if (word.includes('=')) tenants.push(word.slice('--tenant='.length));
    else {
      at += 1;
      tenants.push(at < end ? given[at] : undefined);
    }
  }
  return { argv, tenants };
}

/** @throws FixRequestError when it is none, or more than one. */
function tenantFrom(tenants: readonly (string | undefined)[]): { readonly tenant?: TenantId } {
  const [name, ...others] = tenants;
  if (tenants.length === 0) return {};
  if (others.some((other) => other !== name))
    throw new FixRequestError('cli.usage', '--tenant was given more than once with different names. Give one.');
  if (name === undefined || name === '') throw new FixRequestError('cli.usage', '--tenant was given without a name. Write --tenant NAME.');
  return { tenant: parseTenantId(name) };
}

/** `help ask` is `ask --help`. */
function withHelpAsFlag(argv: readonly string[]): readonly string[] {
  const first = argv.findIndex((word) => !word.startsWith('-'));
  return argv[first] === 'help' ? [...argv.toSpliced(first, 1), '--help'] : argv;
}

/** What stands before `--` is for the program. */
function flagsOf(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end < 0 ? argv : argv.slice(0, end);
}

/** `--help` and `--version` have printed what was asked for. */
function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

const footer = `
Every command takes --json, --tenant NAME to work as another tenant than default, and --help.
Exit codes: 0 done, 1 error, 2 usage or configuration, 3 denied, 4 approval needed,
5 no sandbox, 6 ledger does not verify, 7 limit reached, 124 timed out, 130 interrupted.`;

/** The whole program for `--help`; otherwise only the command that is meant. */
async function programFor(argv: readonly string[], context: CommandContext): Promise<Command> {
  const program = new Command('clawhold').description('Runs autonomous agents under one policy decision and a tamper-evident record.');
  program.version(version(), '-V, --version').enablePositionalOptions().helpCommand(false).addHelpText('after', footer);
  const verb = flagsOf(argv).find((word) => !word.startsWith('-'));
  for (const entry of commandTable) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name === verb) (await entry.load()).command.configure(command, context);
  }
  finish(program, context, verb ?? '');
  if (verb !== undefined && argv.includes('--help') && !commandTable.some(({ name }) => name === verb)) throw unknownCommand(program, verb);
  if (argv.length === 0) program.action(() => program.outputHelp());
  return program;
}

/** What every command has; of the program's own, only the one that is meant. */
function finish(command: Command, context: CommandContext, verb?: string): void {
  command.exitOverride((error) => {
    throw isHelp(error) ? error : usageError(error, command);
  });
  command.configureOutput({
    writeOut: (text) => context.io.out(text),
    writeErr: () => {},
    // Asked of Node's own stream otherwise, which costs 3 ms to open.
    getOutHasColors: () => true,
    getOutHelpWidth: () => (context.io.clear === undefined ? 80 : process.stdout.columns),
  });
  const json = new Option('--json', 'print one JSON document');
  const tenant = new Option('--tenant <name>', 'work as this tenant').default('default');
  for (const option of [tenant, json]) command.addOption(command.commands.length === 0 ? option : option.hideHelp());
  const examples = commandExamples[pathOf(command)] ?? [];
  if (examples.length > 0) command.addHelpText('after', `\nExample${examples.length === 1 ? '' : 's'}:\n  ${examples.join('\n  ')}`);
  for (const sub of command.commands) if (verb === undefined || sub.name() === verb) finish(sub, context);
}

/** The first Ctrl-C ends what runs cleanly, the second at once. Only a person is told so: what a server writes is for programs. */
function stopOnSignals(io: Io): { readonly signal: AbortSignal; off(): void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    if (io.isTerminal) io.err('Stopping; what is done is kept. Press Ctrl-C again to stop at once.\n');
    controller.abort(new RunStopped('cancelled'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    signal: controller.signal,
    off: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
