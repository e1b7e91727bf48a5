import { Command } from 'commander';
import { RunStopped } from '../agent/run-signal.ts';
import { version } from './build-id.ts';
import type { CommandContext } from './command.ts';
import { commandTable } from './command-table.ts';
import { exitCodes, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';
import { processIo } from './process-io.ts';
import { report } from './report.ts';
import { processEnv, wire } from './wire.ts';

/** Runs one command line to its end and gives the exit code. */
export async function runCli(argv: readonly string[]): Promise<ExitCode> {
  const env = processEnv();
  const io = processIo(env['NO_COLOR'] === undefined || env['NO_COLOR'] === '');
  io.isJson = argv.includes('--json') || argv.includes('--events');
  let code: ExitCode = exitCodes.done;
  const stop = stopOnSignals(io);
  try {
    await using app = wire({ env, cwd: process.cwd() });
    const context: CommandContext = { app, io, signal: stop.signal, exit: (wanted) => void (code = wanted) };
    const program = await programFor(argv, context);
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    code = report(io, error, argv);
  } finally {
    stop.off();
  }
  return code;
}

/** The whole program for `--help`; otherwise only the command that is meant. */
async function programFor(argv: readonly string[], context: CommandContext): Promise<Command> {
  const program = new Command('clawhold').description('Runs autonomous agents under one policy decision and a tamper-evident record.');
  program.version(version(), '-V, --version').enablePositionalOptions().exitOverride();
  program.configureOutput({ writeOut: (text) => context.io.out(text), writeErr: () => {} });
  program.addHelpText(
    'after',
    '\nEvery command takes --json, and --help for its options.\nExit codes: 0 done, 1 error, 2 usage or config, 3 denied, 4 approval needed, 6 ledger verification failed, 7 limit, 124 timed out, 130 interrupted.',
  );
  const verb = argv.find((word) => !word.startsWith('-'));
  for (const entry of commandTable) {
    const command = program.command(entry.name).description(entry.summary);
    if (entry.name !== verb) continue;
    (await entry.load()).command.configure(command, context);
    finish(command, context);
  }
  if (argv.length === 0) program.action(() => program.outputHelp());
  return program;
}

/** What every command has. */
function finish(command: Command, context: CommandContext): void {
  command.exitOverride().configureOutput({ writeOut: (text) => context.io.out(text), writeErr: () => {} });
  if (command.commands.length === 0) command.option('--json', 'print one JSON document');
  for (const sub of command.commands) finish(sub, context);
}

/** The first Ctrl-C ends what runs cleanly, the second at once. */
function stopOnSignals(io: Io): { readonly signal: AbortSignal; off(): void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    io.err('Stopping; what is done is kept. Press Ctrl-C again to stop at once.\n');
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
