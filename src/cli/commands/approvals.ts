import type { Approval } from '../../contracts/approval.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { parseApprovalId, type ApprovalId } from '../../contracts/ids.ts';
import { refusedApprover } from '../../governance/distinct-approver.ts';
import { describeApproval } from '../ask-terminal.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('list')
      .description('open questions')
      .option('--all', 'answered and expired ones too')
      .action(async (flags: { readonly all?: boolean }) => await list(context, flags.all === true));
    verb
      .command('show <id>')
      .description('one question in full, with the change it is about')
      .action(async (id: string) => await show(context, id));
    verb
      .command('approve <id>')
      .description('allow this one call')
      .option('--resume', 'continue the run at once')
      .action(
        async (id: string, flags: { readonly resume?: boolean }) =>
          await answer(context, { id, state: 'approved', isResumed: flags.resume === true }),
      );
    verb
      .command('deny <id>')
      .description('refuse this one call')
      .option('--resume', 'continue the run at once')
      .action(
        async (id: string, flags: { readonly resume?: boolean }) =>
          await answer(context, { id, state: 'denied', isResumed: flags.resume === true }),
      );
  },
};

async function list({ app, io }: CommandContext, isAll: boolean): Promise<void> {
  const approvals = await app.approvals();
  const rows = approvals.list({ tenant: app.tenant, state: isAll ? 'all' : 'open' }, Date.now());
  const cells = rows.map((row) => [row.id, row.state, row.agent, row.request.tool, row.run, new Date(row.expiresMs).toISOString()]);
  printResult(
    io,
    { approvals: rows },
    rows.length === 0 ? 'No open questions.' : table([['ID', 'STATE', 'AGENT', 'TOOL', 'RUN', 'EXPIRES'], ...cells]),
  );
}

async function show(context: CommandContext, id: string): Promise<void> {
  const approval = await find(context, parseApprovalId(id));
  const answers = `answer with: clawhold approvals approve ${approval.id} --resume, or deny instead of approve`;
  const text = describeApproval(context.io, approval);
  printResult(context.io, { approval }, approval.state === 'open' ? `${text}\n\n${answers}` : text);
}

async function find({ app }: CommandContext, id: ApprovalId): Promise<Approval> {
  const approval = (await app.approvals()).get(id, Date.now());
  if (approval === undefined)
    throw new FixRequestError('cli.unknown-approval', `There is no approval ${id}. "clawhold approvals list --all" shows what there is.`);
  return approval;
}

async function answer(
  context: CommandContext,
  { id, state, isResumed }: { readonly id: string; readonly state: 'approved' | 'denied'; readonly isResumed: boolean },
): Promise<void> {
  const { app, io } = context;
  const approval = await find(context, parseApprovalId(id));
  const refusal = refusedApprover(approval, localUser(context), (await app.config()).approvals);
  if (refusal !== undefined) throw new FixRequestError('cli.same-person', refusal);
  const outcome = (await app.approvals()).answer(approval.id, { state, by: localUser(context).id, nowMs: Date.now() });
  if (outcome.outcome !== 'answered')
    throw new FixRequestError(
      'cli.approval-closed',
      `Approval ${approval.id} is already ${outcome.outcome === 'not-open' ? outcome.approval.state : 'gone'}, and an answer is given once. Run "clawhold runs show ${approval.run}" to see what became of it.`,
    );
  if (isResumed) {
    const { resumeWithCli } = await import('../resume-with-cli.ts');
    await resumeWithCli(context, approval.run, {});
    return;
  }
  const { resumeOnQueue } = await import('../resume-on-queue.ts');
  const isQueued = await resumeOnQueue(app, localUser(context), { run: approval.run, approval: approval.id });
  const next = isQueued
    ? `Run ${approval.run} goes on where it is served ("clawhold serve").`
    : `Continue the run with: clawhold runs resume ${approval.run}`;
  printResult(io, { approval: approval.id, state, run: approval.run, isQueued }, `${approval.id} is ${state}. ${next}`);
}
