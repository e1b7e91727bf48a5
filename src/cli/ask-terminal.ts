import type { Approval } from '../contracts/approval.ts';
import { canonicalJson } from '../contracts/json.ts';
import { makeVisible } from '../governance/visible.ts';
import type { Io } from './io.ts';

/**
 * Puts a question on the attached terminal. Only the word `yes` approves; anything else denies; when the terminal goes
 * away the row stays open and the run parks.
 */
export async function askTerminal(io: Io, approval: Approval, signal: AbortSignal): Promise<'approved' | 'denied' | undefined> {
  const { createInterface } = await import('node:readline/promises');
  io.err(`\n${describeApproval(io, approval)}\n`);
  const lines = createInterface({ input: io.stdin, output: process.stderr });
  const closed = new Promise<undefined>((resolve) => lines.once('close', () => resolve(undefined)));
  try {
    const answer = await Promise.race([lines.question('Type yes to allow this one call, anything else to refuse: ', { signal }), closed]);
    if (answer === undefined) return undefined;
    return answer.trim() === 'yes' ? 'approved' : 'denied';
  } finally {
    lines.close();
  }
}

/** Everything a person needs to answer: what would happen, to what, why it is asked. Deceptive characters are visible. */
export function describeApproval({ color }: Pick<Io, 'color'>, approval: Approval): string {
  const { request, decision } = approval;
  const where = decision.rule.line > 0 ? `${decision.rule.file}:${decision.rule.line}` : decision.rule.file;
  const lines = [
    color.bold(`${request.agent} wants to call ${request.tool}`),
    `  arguments  ${makeVisible(canonicalJson(request.args))}`,
    ...(request.sandbox?.available === true
      ? [`  runs in    a sandbox of ${request.sandbox.driver} (class ${request.sandbox.isolation}, network ${request.sandbox.network})`]
      : []),
    `  because    ${makeVisible(decision.reason)} (${decision.rule.id}, ${where})`,
    ...request.labels
      .filter(({ label }) => label.trust === 'untrusted')
      .map((one) => color.yellow(`  ${one.argument} (${one.role}) comes from untrusted text: ${makeVisible(one.label.source)}`)),
    color.dim(`  question   ${approval.id}, ${approval.state}, expires ${new Date(approval.expiresMs).toISOString()}`),
    color.dim(`  run        ${approval.run}, call ${approval.callId}`),
  ];
  if (approval.preview !== undefined) lines.push(makeVisible(approval.preview, { keepLines: true }).trimEnd());
  return lines.join('\n');
}
