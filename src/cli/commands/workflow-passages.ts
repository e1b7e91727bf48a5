import { randomBytes } from 'node:crypto';
import { systemClock } from '../../contracts/clock.ts';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { inputMark } from '../../contracts/workflow.ts';
import { listWorkflows, readWorkflow, startWorkflow } from '../../control/workflows.ts';
import { makeVisible } from '../../governance/visible.ts';
import { readServeState } from '../../state/serve-file.ts';
import { openWorkflows, type WorkflowRow } from '../../state/workflows.ts';
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
  const { steps } = await readWorkflow(home, app.tenant, name);
  const isUsed = steps.some(({ message }) => message.includes(inputMark));
  if (isUsed !== (input.trim() !== ''))
    throw new FixRequestError(
      'cli.workflow-input',
      isUsed
        ? `Workflow ${name} needs an input, because a message of it says ${inputMark}. Give one: clawhold workflows run ${name} "…".`
        : `Workflow ${name} takes no input, because no message of it says ${inputMark}. Leave the input out, or change the workflow.`,
    );
  const ctx = { home, workflows: openWorkflows(await app.database()), clock: systemClock, ledger: async () => await app.ledger() };
  const key = `cli:${randomBytes(16).toString('hex')}`;
  const row = await startWorkflow(ctx, { tenant: app.tenant, name, principal: localUser(context), door: 'cli', input, key });
  const isServed = readServeState(home.dir).isAlive;
  const how = isServed ? 'The running server has it.' : 'No server runs on this home: it begins when "clawhold serve" does.';
  printResult(
    io,
    { passage: viewOf(row), isServed },
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
  const view = viewOf(row);
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
    .map(viewOf);
  const cells = views.map((view) => [view.id, view.workflow, view.state, view.created, makeVisible(view.reason).slice(0, 100)]);
  printResult(
    io,
    { passages: views },
    views.length === 0 ? 'No workflow has begun.' : table([['PASSAGE', 'WORKFLOW', 'STATE', 'BEGAN', 'REASON'], ...cells]),
  );
}

interface PassageView {
  readonly id: string;
  readonly workflow: string;
  readonly state: WorkflowRow['state'];
  readonly reason: string;
  readonly created: string;
  readonly steps: readonly {
    readonly agent: string;
    readonly state: 'done' | 'at work' | 'failed' | 'waits';
    readonly run: string | null;
  }[];
}

function viewOf(row: WorkflowRow): PassageView {
  const { id, name, state, reason, createdMs, definition, done, run, step } = row;
  const here = state === 'failed' ? 'failed' : state === 'running' ? 'at work' : 'done';
  const steps: PassageView['steps'] = definition.steps.map(({ agent }, index) =>
    index < done.length
      ? { agent, state: 'done', run: done[index] ?? null }
      : { agent, state: index === step ? here : 'waits', run: index === step ? (run ?? null) : null },
  );
  return { id, workflow: name, state, reason, created: new Date(createdMs).toISOString(), steps };
}
