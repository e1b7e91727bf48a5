import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import { parseAgentId } from '../contracts/ids.ts';
import { auditVerify, renderVerify } from './commands/audit-verify.ts';
import type { CommandContext } from './command.ts';
import { driveItem } from './drive-run.ts';
import { exitCodes } from './exit-codes.ts';
import { fillHome } from './make-home.ts';
import { makeAgent } from './make-agent.ts';
import { itemFromFlags } from './run-options.ts';
import type { App } from './app.ts';
import { wire } from './wire.ts';

/**
 * Shows the product's main job on a real folder: the scout explores it under policy, one of its calls is denied, its
 * report and a verified ledger come out. Everything happens in a throw-away home; the folder is read-only to it.
 */
export async function runDemo(context: CommandContext, folder: string, isKept: boolean): Promise<void> {
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
    await demoIn({ ...context, app }, { root, explored });
  } finally {
    if (isKept) io.err(`The home is kept in ${root}\n`);
    else await fs.rm(root, { recursive: true, force: true });
  }
}

async function demoIn(context: CommandContext, { root, explored }: { readonly root: string; readonly explored: string }): Promise<void> {
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
  io.err(`${io.color.bold('An agent at work')}: "scout" explores ${explored}, which it cannot change, and writes a report.\n`);
  io.err(
    `Model: ${detected.isScripted ? 'a script, because no key and no local model was found. The tool calls, decisions and records are real.' : detected.model}\n\n`,
  );
  const item = await itemFromFlags(context, { agent }, taskOf(await fs.readFile(config, 'utf8')));
  await driveItem(context, item, { approvals: 'deny' });
  await showReport(context, root);
  await showVerified(context, app);
  io.err(nextSteps(io));
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
  const ledger = await app.ledger();
  await ledger.checkpoint();
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
