import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import { parseAgentId, parseRunId } from '../contracts/ids.ts';
import { makeVisible } from '../governance/visible.ts';
import { auditVerify, renderVerify } from './commands/audit-verify.ts';
import type { CommandContext } from './command.ts';
import { describeTotals } from './describe-totals.ts';
import { exitCodeOfRun, exitCodes } from './exit-codes.ts';
import type { Served } from './open-serve.ts';
import { fillHome } from './make-home.ts';
import { makeAgent } from './make-agent.ts';
import type { App } from './app.ts';
import { wire } from './wire.ts';

export interface DemoFlags {
  /** The throw-away home stays. */
  readonly keep?: boolean;
  /** On a terminal, the server goes on after the demonstration. */
  readonly serve?: boolean;
}

/**
 * Shows the product's main job on a real folder: a server starts, the scout explores the folder under policy through
 * its HTTP API, one of its calls is denied, its report and a verified ledger come out. Everything happens in a throw-away
 * home; the folder is read-only to it.
 */
export async function runDemo(context: CommandContext, folder: string, flags: DemoFlags): Promise<void> {
  const { io } = context;
  const explored = path.resolve(context.app.cwd, folder);
  if (!(await fs.stat(explored).catch(() => undefined))?.isDirectory())
    throw new FixRequestError('cli.no-folder', `${explored} is not a folder. Name the one to explore.`);
  const root = await fs.mkdtemp(path.join(os.tmpdir(), 'clawhold-demo-'));
  try {
    await using app = wire({
      env: { ...context.app.env, CLAWHOLD_HOME: undefined, CLAWHOLD_CONFIG_HOME: path.join(root, 'user') },
      cwd: root,
    });
    const isStaying = flags.serve === true && io.isTerminal && !io.isJson && (app.env['CI'] ?? '') === '';
    await demoIn({ ...context, app }, { root, explored, isStaying });
  } finally {
    if (flags.keep === true) io.err(`The home is kept in ${root}\n`);
    else await fs.rm(root, { recursive: true, force: true });
  }
}

interface Demo {
  readonly root: string;
  readonly explored: string;
  /** The server goes on after it. */
  readonly isStaying: boolean;
}

async function demoIn(context: CommandContext, { root, explored, isStaying }: Demo): Promise<void> {
  const { app, io } = context;
  const [{ createHome }, { detectModels }] = await Promise.all([import('../state/home.ts'), import('../models/detect.ts')]);
  const detected = await detectModels({ env: app.env });
  const home = createHome(root);
  const model = detected.isScripted ? 'scripted/scout' : detected.model;
  await fillHome(home, { ...detected, model });
  const agent = parseAgentId('scout');
  const dir = await makeAgent(home, { tenant: app.tenant, agent, template: 'scout' });
  const config = path.join(dir, 'agent.yaml');
  await fs.writeFile(config, (await fs.readFile(config, 'utf8')).replace('repo: .', `repo: ${JSON.stringify(explored)}`));
  await using served = await serveDemo(app);
  io.err(`${io.color.bold('Clawhold serves')} on ${served.url}, and an agent gets to work over its API:\n`);
  io.err(`"scout" explores ${explored}, which it cannot change, and writes a report.\n`);
  io.err(
    `Model: ${detected.isScripted ? 'a script, because no key and no local model was found. The tool calls, decisions and records are real.' : detected.model}\n\n`,
  );
  await driveDemo(context, served.url, { agent, input: taskOf(await fs.readFile(config, 'utf8')) });
  await showReport(context, root);
  await served.checkpoint();
  await showVerified(context, app);
  io.err(nextSteps(io));
  if (isStaying) await stay(context, served.url, root);
}

/** On the port that it has otherwise; on any other when that one is taken. */
async function serveDemo(app: App): Promise<Served> {
  const { openServe } = await import('./open-serve.ts');
  const quiet = { logLevel: 'error' } as const;
  return await openServe(app, quiet).catch(async (error: unknown) => {
    if ((error as { readonly code?: string }).code !== 'gateway.port-taken') throw error;
    return await openServe(app, { ...quiet, port: 0 });
  });
}

/** As any client of the API does it, with a token of its own. */
async function driveDemo(context: CommandContext, url: string, request: { readonly agent: string; readonly input: string }): Promise<void> {
  const { app, io } = context;
  const [{ openTokens }, { driveOverHttp }, { renderForPeople }] = await Promise.all([
    import('../state/tokens.ts'),
    import('./drive-over-http.ts'),
    import('./render-events.ts'),
  ]);
  const nowMs = Date.now();
  const rights = { tenant: app.tenant, roles: ['submitter'], label: 'demonstration', nowMs, expiresMs: nowMs + 3_600_000 } as const;
  const { secret: token } = openTokens(await app.database()).create(rights);
  const outcome = await driveOverHttp({ url, token }, request, renderForPeople(io));
  const totals = outcome.totals === undefined ? '' : describeTotals(outcome.totals);
  if (outcome.state !== 'done') io.err(`${io.color.yellow(outcome.state)}: ${makeVisible(outcome.reason)}\n`);
  io.err(io.color.dim(`${outcome.state}  ${totals}\nrecord ${(await app.home()).runDir(app.tenant, parseRunId(outcome.run))}\n`));
  context.exit(exitCodeOfRun(outcome));
}

/** Until Ctrl-C. */
async function stay({ io, signal }: CommandContext, url: string, root: string): Promise<void> {
  const token = `CLAWHOLD_HOME=${root} CLAWHOLD_CONFIG_HOME=${path.join(root, 'user')} bin/clawhold tokens create --role submitter`;
  io.err(
    `\n${io.color.bold('The server goes on')} at ${url}.\nA token for its API, from another terminal:\n  ${token}\nStop it with Ctrl-C.\n`,
  );
  if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

function taskOf(yaml: string): string {
  return /^task: (.+)$/m.exec(yaml)?.[1] ?? 'Explore the repository and write REPORT.md.';
}

async function showReport({ io }: CommandContext, root: string): Promise<void> {
  const report = await fs.readFile(path.join(root, 'workspace', 'REPORT.md'), 'utf8').catch(() => undefined);
  if (report === undefined) io.err(io.color.yellow('\nThe agent wrote no REPORT.md.\n'));
  else io.out(`\n${io.color.bold('REPORT.md')}\n${report}\n`);
}

async function showVerified(context: CommandContext, app: App): Promise<void> {
  const result = await auditVerify(
    { home: await app.home(), tenant: app.tenant, keyFile: path.join(app.userDir, 'keys', 'ledger.ed25519') },
    { schema: true },
  );
  context.io.err(`${renderVerify(result)}\nThe home of this demonstration is thrown away; "bin/clawhold demo --keep" keeps it.\n`);
  if (result.exitCode !== 0) context.exit(exitCodes.ledgerFailed);
}

function nextSteps({ color }: CommandContext['io']): string {
  return `\n${color.bold('Try next:')}\n  bin/clawhold init --template scribe      # a home and an agent of your own, here\n  bin/clawhold ask "hello"                 # one message to it\n  bin/clawhold runs show                   # what it did, with every decision\n`;
}
