import fs from 'node:fs';
import path from 'node:path';
import type { Admission, RunRequest } from '../contracts/admission.ts';
import type { Clock } from '../contracts/clock.ts';
import { FixRequestError, reasonOf, RetryableError } from '../contracts/errors.ts';
import { parseAgentId, type RunId, type TenantId } from '../contracts/ids.ts';
import { hashJson, sha256 } from '../contracts/json.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import type { Log } from '../contracts/log.ts';
import type { Principal } from '../contracts/principal.ts';
import { terminalStates, type RunItem } from '../contracts/run.ts';
import { inputMark, workflowFile, type WorkflowFile } from '../contracts/workflow.ts';
import type { Home } from '../state/home.ts';
import { readYamlFile } from '../state/read-yaml-file.ts';
import type { Runs } from '../state/runs.ts';
import type { Workflows, WorkflowRow } from '../state/workflows.ts';
import { refusedByError } from './refusal.ts';

export interface StartWorkflowContext {
  readonly home: Home;
  readonly workflows: Workflows;
  readonly clock: Clock;
  readonly ledger: (tenant: TenantId) => Promise<LedgerWriter>;
}

export interface WorkflowStart {
  readonly tenant: TenantId;
  readonly name: string;
  readonly principal: RunItem['principal'];
  readonly door: RunItem['door'];
  /** What the starter said: stands for `{{input}}`. */
  readonly input: string;
  readonly untrusted?: RunItem['untrusted'];
  /** The same key gives the same passage. */
  readonly key: string;
}

const nameShape = /^[a-z][a-z0-9-]{0,62}$/;

function folderOf(home: Home, tenant: TenantId): string {
  return path.join(home.tenantDir(tenant), 'workflows');
}

/** Names of the tenant's workflows, sorted. */
export function listWorkflows(home: Home, tenant: TenantId): string[] {
  const folder = folderOf(home, tenant);
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder).flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -5)] : []));
  return names.filter((name) => nameShape.test(name)).toSorted();
}

/** @throws FixRequestError when there is no such workflow, or its file is wrong; the file is named as it lies in the home. */
export async function readWorkflow(home: Home, tenant: TenantId, name: string): Promise<WorkflowFile> {
  const file = path.join(folderOf(home, tenant), `${name}.yaml`);
  const shown = path.relative(home.dir, file);
  const found = nameShape.test(name) ? fs.lstatSync(file, { throwIfNoEntry: false }) : undefined;
  const read = found?.isFile() === true ? await readYamlFile(file, workflowFile, { name: shown }) : undefined;
  if (read !== undefined) return read.value;
  if (found?.isFile() === false)
    throw new FixRequestError(
      'control.unknown-workflow',
      `${shown} is a link or a folder and no file of its own. Put the file itself there.`,
    );
  const names = listWorkflows(home, tenant);
  const known = names.length === 0 ? `There is none yet: write one into ${path.dirname(shown)}.` : `Use one of these: ${names.join(', ')}.`;
  throw new FixRequestError('control.unknown-workflow', `There is no workflow ${JSON.stringify(name)}. ${known}`);
}

/** @throws FixRequestError when a workflow that asks for an input gets none, or one that asks for none gets one. */
export function refuseWrongInput(name: string, { steps }: WorkflowFile, input: string): void {
  const isUsed = steps.some(({ message }) => message.includes(inputMark));
  if (isUsed === (input.trim() !== '')) return;
  throw new FixRequestError(
    'control.workflow-input',
    isUsed
      ? `Workflow ${name} needs an input, because a message of it says ${inputMark}. Give one.`
      : `Workflow ${name} takes no input, because no message of it says ${inputMark}. Leave the input out, or change the workflow.`,
  );
}

/** The id of the passage that a key stands for. */
export function passageId(tenant: TenantId, key: string): string {
  return `wfl_${sha256(`${tenant}/${key}`).slice(0, 26)}`;
}

/** Writes down that a workflow begins; the scheduler asks for its runs. @throws FixRequestError for a wrong workflow. */
export async function startWorkflow(ctx: StartWorkflowContext, start: WorkflowStart): Promise<WorkflowRow> {
  const { tenant, name, key, untrusted = [], ...starter } = start;
  const id = passageId(tenant, key);
  const known = ctx.workflows.get(tenant, id);
  if (known !== undefined) return known;
  refuseTooMany(ctx, tenant);
  const definition = await readWorkflow(ctx.home, tenant, name);
  const nowMs = ctx.clock.now();
  const at = new Date(nowMs).toISOString();
  const event = { workflow: name, passage: id, principal: starter.principal, definition: hashJson(definition) };
  await (await ctx.ledger(tenant)).append({ type: 'workflow.start', at, ...event });
  const row: WorkflowRow = {
    tenant,
    id,
    name,
    definition,
    ...starter,
    untrusted,
    state: 'running',
    step: 0,
    done: [],
    reason: '',
    createdMs: nowMs,
  };
  ctx.workflows.add(row);
  return row;
}

/** Every passage is looked at in each round, so nobody makes endlessly many. */
const maxOpen = 100;

function refuseTooMany({ workflows }: StartWorkflowContext, tenant: TenantId): void {
  const open = workflows.countOpen(tenant);
  if (open < maxOpen) return;
  throw new RetryableError(
    'control.too-many-passages',
    `Tenant ${tenant} has ${open} passages through workflows under way, and may have ${maxOpen}. Wait until one has ended.`,
  );
}

export interface AdvanceContext {
  readonly home: Home;
  readonly workflows: Workflows;
  readonly runs: Runs;
  readonly clock: Clock;
  readonly log: Log;
  readonly admit: (principal: Principal, request: RunRequest) => Promise<Admission>;
}

/**
 * Moves every passage on: asks for the run of its step, and goes to the next when that one is done. A step that does not
 * end well ends the passage. A passage outlives every process: its row says where it is, and each step's run has a key.
 */
export async function advanceWorkflows(ctx: AdvanceContext): Promise<void> {
  for (const row of ctx.workflows.open()) {
    try {
      if (row.run !== undefined) followStep(ctx, row, row.run);
      const now = ctx.workflows.get(row.tenant, row.id);
      if (now?.state === 'running' && now.run === undefined) await askForStep(ctx, now);
    } catch (error) {
      ctx.log.error(`workflow ${row.name} could not go on now, and will: ${reasonOf(error)}`, { tenant_id: row.tenant, workflow: row.id });
    }
  }
}

async function askForStep(ctx: AdvanceContext, row: WorkflowRow): Promise<void> {
  const step = row.definition.steps[row.step];
  if (step === undefined) throw new TypeError(`workflow passage ${row.id} has no step ${row.step}`);
  const { kind, id } = row.principal;
  const untrusted = untrustedOf(ctx, row);
  const admission = await orRefused(
    ctx,
    row,
    ctx.admit(
      { kind, id, tenant: row.tenant, roles: ['submitter'] },
      {
        agent: parseAgentId(step.agent),
        input: step.message.replaceAll(inputMark, () => row.input),
        ...(untrusted.length === 0 ? {} : { untrusted }),
        door: row.door,
        ...(step.project === undefined ? {} : { project: step.project }),
        ...(step.lane === undefined ? {} : { lane: step.lane }),
        idempotencyKey: `workflow:${row.id}:${row.step}`,
      },
    ),
  );
  if (admission.outcome === 'admitted') ctx.workflows.move(row, { ...row, run: admission.run });
  else if (!passing.has(admission.code)) fail(ctx, row, `was refused: ${admission.message}`);
}

/** Refusals that pass by themselves: the step waits. */
const passing: ReadonlySet<string> = new Set(['control.over-quota', 'control.over-rate']);

async function orRefused({ log }: AdvanceContext, { tenant, id }: WorkflowRow, asked: Promise<Admission>): Promise<Admission> {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof FixRequestError)) throw error;
    const fields = { tenant_id: tenant, workflow: id };
    return refusedByError(log, error, { code: error.code, message: error.publicMessage, fields });
  }
}

const maxOutput = 256 * 1024;

/** What an agent said is no word of the user's, whoever's message it answered. */
function untrustedOf({ home }: AdvanceContext, { tenant, done, untrusted }: WorkflowRow): NonNullable<RunItem['untrusted']> {
  const before = done.at(-1);
  if (before === undefined) return untrusted;
  const file = path.join(home.runDir(tenant, before), 'output.md');
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  const cut = text.length > maxOutput ? `${text.slice(0, maxOutput)}\n[longer than ${maxOutput} characters, and cut here]` : text;
  return [{ source: `run:${before}`, text: cut }];
}

function followStep(ctx: AdvanceContext, row: WorkflowRow, id: RunId): void {
  const run = ctx.runs.get(id);
  if (run === undefined || !terminalStates.has(run.state)) return;
  if (run.state !== 'done') {
    fail(ctx, row, `ended as ${run.state}: ${run.reason}`);
    return;
  }
  const { run: _ended, ...rest } = row;
  const done = [...row.done, id];
  const isLast = done.length === row.definition.steps.length;
  if (isLast) ctx.workflows.move(row, { ...rest, done, state: 'done', run: id, endedMs: ctx.clock.now() });
  else ctx.workflows.move(row, { ...rest, done, step: row.step + 1 });
}

function fail(ctx: AdvanceContext, row: WorkflowRow, what: string): void {
  const reason = `step ${row.step + 1} (${row.definition.steps[row.step]?.agent ?? ''}) ${what}`;
  ctx.workflows.move(row, { ...row, state: 'failed', reason, endedMs: ctx.clock.now() });
  ctx.log.warn(`workflow ${row.name} stopped: ${reason}`, { tenant_id: row.tenant, workflow: row.id });
}
