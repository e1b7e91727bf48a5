import { randomBytes } from 'node:crypto';
import { systemClock } from '../../contracts/clock.ts';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { passageView } from '../../control/passage-view.ts';
import { listWorkflows, readWorkflow, refuseWrongInput, startWorkflow } from '../../control/workflows.ts';
import { makeVisible } from '../../governance/visible.ts';
import { readServeState } from '../../state/serve-file.ts';
import { openWorkflows } from '../../state/workflows.ts';
import { printResult, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';

export async function listAll({ app, io }: CommandContext): Promise<void> {
  const home = await app.home();
  const rows = await Promise.all(
    listWorkflows(home, app.tenant).map(async (name) => {
      try {
        const { steps, description = '' } = await readWorkflow(home, app.tenant, name);
        return { name, agents: steps.map(({ agent }) => agent), description, fault: null };
      } catch (error) {
        return { name, agents: [], description: '', fault: reasonOf(error) };
      }
    }),
  );
  const cells = rows.map(({ name, agents, description, fault }) => [name, agents.join(' → '), makeVisible(fault ?? description)]);
  const text = rows.length === 0 ? 'No workflows. docs/schedules.md shows one.' : table([['NAME', 'STEPS', 'DESCRIPTION'], ...cells]);
  printResult(io, { workflows: rows }, text);
}

export async function begin(context: CommandContext, name: string, input: string): Promise<void> {
  const { app, io } = context;
  const home = await app.home();
  refuseWrongInput(name, await readWorkflow(home, app.tenant, name), input);
  const ctx = { home, workflows: openWorkflows(await app.database()), clock: systemClock, ledger: async () => await app.ledger() };
  const key = `cli:${randomBytes(16).toString('hex')}`;
  const row = await startWorkflow(ctx, { tenant: app.tenant, name, principal: localUser(context), door: 'cli', input, key });
  const isServed = readServeState(home.dir).isAlive;
  const how = isServed ? 'The running server has it.' : 'No server runs on this home: it begins when "clawhold serve" does.';
  printResult(
    io,
    { passage: passageView(row), isServed },
    `Workflow ${name} begins as ${row.id}. ${how}\nSee: clawhold workflows show ${row.id}`,
  );
}

export async function showPassage({ app, io }: CommandContext, id: string): Promise<void> {
  const row = openWorkflows(await app.database()).get(app.tenant, id);
  if (row === undefined)
    throw new FixRequestError(
      'cli.unknown-passage',
      `There is no passage ${JSON.stringify(id)}. "clawhold workflows history" shows what there is.`,
    );
  const view = passageView(row);
  const lines = view.steps.map(({ agent, state, run }, index) => `${index + 1}  ${agent}  ${state}${run === null ? '' : `  ${run}`}`);
  printResult(
    io,
    { passage: view },
    [`${row.id}: workflow ${row.name}, ${row.state}${view.reason === '' ? '' : `: ${makeVisible(view.reason)}`}`, ...lines].join('\n'),
  );
}

export async function showPassages({ app, io }: CommandContext, limitText: string): Promise<void> {
  const limit = Number(limitText);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new FixRequestError(
      'cli.bad-number',
      `--limit was given ${JSON.stringify(limitText)}, which is not a whole number from 1 to 1000. Correct it.`,
    );
  const views = openWorkflows(await app.database())
    .list(app.tenant, limit)
    .map(passageView);
  const cells = views.map((view) => [view.id, view.workflow, view.state, view.created, makeVisible(view.reason).slice(0, 100)]);
  printResult(
    io,
    { passages: views },
    views.length === 0 ? 'No workflow has begun.' : table([['PASSAGE', 'WORKFLOW', 'STATE', 'BEGAN', 'REASON'], ...cells]),
  );
}
