import type { ApprovalDesk, Question } from '../agent/approval-desk.ts';
import type { Approval } from '../contracts/approval.ts';
import type { Clock } from '../contracts/clock.ts';
import { newApprovalId } from '../contracts/ids.ts';
import type { ApprovalSurface, RunItem } from '../contracts/run.ts';
import type { Approvals } from '../state/approvals.ts';

export interface ApprovalDeskOptions {
  readonly approvals: Approvals;
  readonly clock: Clock;
  readonly surface: ApprovalSurface;
  readonly expiresMs: number;
  /** On the surface `terminal`: shows the question and gives the answer, or undefined when the terminal went away. */
  readonly askTerminal?: (approval: Approval, signal: AbortSignal) => Promise<'approved' | 'denied' | undefined>;
}

/** A crash between the row and the journal leaves a question that nobody would look for: it is found here. */
function isSameQuestion(row: Approval, { callId, requestHash, targetHash }: Question): boolean {
  return row.callId === callId && row.requestHash === requestHash && row.targetHash === targetHash;
}

/** The desk of one run: questions become rows; a terminal, when there is one, answers them at once. */
export function openApprovalDesk(options: ApprovalDeskOptions, item: RunItem): ApprovalDesk {
  const { approvals, clock, surface, askTerminal } = options;
  const open = async (question: Question): Promise<Approval> => {
    const createdMs = clock.now();
    const asked = approvals.list({ run: item.runId, state: 'open' }, createdMs).find((row) => isSameQuestion(row, question));
    if (asked !== undefined) return asked;
    const approval: Approval = {
      ...question,
      id: newApprovalId(createdMs),
      tenant: item.tenant,
      agent: item.agent,
      run: item.runId,
      createdMs,
      expiresMs: createdMs + options.expiresMs,
      state: 'open',
    };
    approvals.insert(approval);
    return approval;
  };
  const ask = async (approval: Approval, signal: AbortSignal): Promise<Approval> => {
    const answer = await askTerminal?.(approval, signal);
    if (answer !== undefined) approvals.answer(approval.id, { state: answer, by: item.principal.id, nowMs: clock.now() });
    return approvals.get(approval.id, clock.now()) ?? approval;
  };
  const get: ApprovalDesk['get'] = async (id) => approvals.get(id, clock.now());
  return surface === 'terminal' && askTerminal !== undefined ? { surface, open, get, ask } : { surface, open, get };
}
