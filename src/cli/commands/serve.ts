import { Option } from 'commander';
import { FixRequestError } from '../../contracts/errors.ts';
import type { CliCommand, CommandContext } from '../command.ts';

interface Flags {
  readonly port?: string;
  readonly host?: string;
  readonly executors?: string;
  readonly role: 'all' | 'executor';
}

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .option('-p, --port <n>', 'port to listen on; 0 takes any free one (default: serve.port, or 8787)')
      .option('--host <address>', 'address to listen on (default: serve.host, or 127.0.0.1)')
      .option('--executors <n>', 'child processes that execute (default: serve.executors.processes, or none: this process does)')
      .addOption(new Option('--role <role>', 'what this process does').choices(['all', 'executor']).default('all').hideHelp())
      .addOption(new Option('--slot <n>', 'which of its executors a server started').hideHelp());
    verb.action(async (flags: Flags) => await (flags.role === 'executor' ? execute(context) : serve(context, flags)));
  },
};

async function serve(context: CommandContext, flags: Flags): Promise<void> {
  const { app, io, signal } = context;
  const { openServe } = await import('../open-serve.ts');
  await using served = await openServe(app, {
    ...(flags.host === undefined ? {} : { host: flags.host }),
    ...(flags.port === undefined ? {} : { port: numberOf('--port', flags.port, 65_535) }),
    ...(flags.executors === undefined ? {} : { processes: numberOf('--executors', flags.executors, 256) }),
  });
  using _guard = keepGoing((error) => served.blame(error));
  using _hup = onSignal('SIGHUP', () => void served.reload());
  for (const notice of app.notices) io.err(`${notice}\n`);
  io.out(io.isJson ? `${JSON.stringify({ ok: true, url: served.url, pid: process.pid })}\n` : `Clawhold serves on ${served.url}\n`);
  await aborted(signal);
}

/** A child of a server: it ends when it is told to, when the server is gone, or when there was nothing to do for long. */
async function execute({ app, signal }: CommandContext): Promise<void> {
  const [{ openServedExecutor }, { aliveMessage, idleMessage }] = await Promise.all([
    import('../open-executor.ts'),
    import('../serve/executor-process.ts'),
  ]);
  using _beat = repeat(2000, () => void (process.connected && process.send?.(aliveMessage)));
  const orphaned = new AbortController();
  process.once('disconnect', () => orphaned.abort());
  await using executor = await openServedExecutor(app);
  using _guard = keepGoing((error) => {
    // An error of no run may have left anything behind: the server starts this process again.
    if (!executor.blame(error)) process.exit(1);
  });
  const idle = new AbortController();
  const timer = setInterval(() => {
    if (executor.idleSeconds !== undefined && executor.idleMs() >= executor.idleSeconds * 1000) idle.abort();
  }, 100);
  await aborted(AbortSignal.any([signal, orphaned.signal, idle.signal]));
  clearInterval(timer);
  const waitMs = orphaned.signal.aborted ? 0 : executor.drainSeconds * 1000;
  // What holds the process after that is a defect, and nobody may be left to end it.
  setTimeout(() => process.exit(1), waitMs + 5000).unref();
  await executor.drain(waitMs);
  if (idle.signal.aborted && !signal.aborted) process.send?.(idleMessage);
  if (process.connected) process.disconnect();
}

function repeat(everyMs: number, act: () => void): Disposable {
  act();
  const timer = setInterval(act, everyMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function numberOf(flag: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value <= max) return value;
  throw new FixRequestError('cli.bad-number', `${flag} was given ${JSON.stringify(text)}, which is not a whole number from 0 to ${max}.`);
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** What one run throws past all its calls must not end the others. */
function keepGoing(blame: (error: unknown) => void): Disposable {
  process.on('uncaughtException', blame);
  process.on('unhandledRejection', blame);
  return {
    [Symbol.dispose]: () => {
      process.off('uncaughtException', blame);
      process.off('unhandledRejection', blame);
    },
  };
}

function onSignal(signal: NodeJS.Signals, act: () => void): Disposable {
  process.on(signal, act);
  return { [Symbol.dispose]: () => void process.off(signal, act) };
}
