import { FixRequestError } from '../../contracts/errors.ts';
import { boundaryClasses, type BoundaryClass } from '../../contracts/isolation.ts';
import type { ExecResult } from '../../sandbox/sandbox.ts';
import type { CommandContext } from '../command.ts';
import { exitCodes, type ExitCode } from '../exit-codes.ts';
import { openHere } from './open-here.ts';

export interface SandboxRunFlags {
  readonly workspace?: string;
  readonly driver?: string;
  readonly minimum?: string;
  readonly timeout?: string;
}

/**
 * One command of a person in a sandbox that is gone afterwards. No agent, no policy, no record: the person could run it
 * without a sandbox too. Its exit code is the command's, 124 when it was killed at its time, 5 when nothing was run.
 */
export async function runInSandbox(context: CommandContext, argv: readonly string[], flags: SandboxRunFlags): Promise<void> {
  const [{ chooseDriver, limitsFor }, path, fs, os] = await Promise.all([
    import('../../sandbox/open-sandbox.ts'),
    import('node:path'),
    import('node:fs/promises'),
    import('node:os'),
  ]);
  const { io, app, signal } = context;
  const wallMs = secondsOf(flags.timeout) * 1000;
  await using sandboxes = await openHere(context);
  const { drivers, candidates } = sandboxes;
  const wanted = flags.driver ?? 'auto';
  const { driver, probe } = await chooseDriver({
    drivers: wanted === 'auto' ? candidates : drivers,
    wanted,
    minimum: classOf(flags.minimum),
  });
  await using scratch = new AsyncDisposableStack();
  const workspace =
    flags.workspace === undefined ? await fs.mkdtemp(path.join(os.tmpdir(), 'clawhold-run-')) : path.resolve(app.cwd, flags.workspace);
  if (flags.workspace === undefined) scratch.defer(async () => await fs.rm(workspace, { recursive: true, force: true }));
  const spec = { label: 'cli', workspace, limits: limitsFor(probe).limits, network: 'none' as const };
  await using sandbox = await driver.start(spec, { signal });
  const decoders = { out: new TextDecoder(), err: new TextDecoder() };
  const streams = io.isJson
    ? {}
    : {
        onStdout: (bytes: Uint8Array) => io.out(decoders.out.decode(bytes, { stream: true })),
        onStderr: (bytes: Uint8Array) => io.err(decoders.err.decode(bytes, { stream: true })),
      };
  const result = await sandbox.exec(argv, { wallMs, signal, ...streams });
  if (io.isJson) printDocument(context, driver.name, result);
  else if (result.end !== 'exited') io.err(`clawhold: the command was ended: ${result.end}\n`);
  context.exit(codeOf(result));
}

function printDocument({ io }: CommandContext, driver: string, result: ExecResult): void {
  const { stdout, stderr, ...facts } = result;
  io.out(`${JSON.stringify({ ok: result.exitCode === 0, driver, ...facts, stdout: utf8(stdout), stderr: utf8(stderr) })}\n`);
}

function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

function codeOf({ timedOut, exitCode }: ExecResult): ExitCode {
  if (timedOut) return exitCodes.timedOut;
  return (exitCode ?? exitCodes.error) as ExitCode;
}

function secondsOf(text: string | undefined): number {
  const seconds = Number(text ?? 120);
  if (seconds > 0 && Number.isFinite(seconds)) return seconds;
  throw new FixRequestError(
    'cli.bad-number',
    `--timeout was given ${JSON.stringify(text)}, which is no number of seconds above 0. Give one.`,
  );
}

function classOf(text: string | undefined): BoundaryClass {
  const found = boundaryClasses.find((one) => one === (text ?? 'namespace'));
  if (found !== undefined) return found;
  throw new FixRequestError(
    'cli.bad-class',
    `There is no sandbox class ${JSON.stringify(text)}. Use one of: ${boundaryClasses.join(', ')}.`,
  );
}
