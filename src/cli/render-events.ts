import type { RunEvent } from '../agent/run-events.ts';
import { makeVisible } from '../governance/visible.ts';
import type { Io } from './io.ts';

/**
 * Shows a run to a person as it happens: the agent's words on stdout as they come, everything else on stderr.
 * Deceptive characters in what agents and models say are shown as their code points.
 */
export function renderForPeople(io: Io): (event: RunEvent) => void {
  const state = { isInText: false, hasText: false };
  const endText = (): void => {
    if (state.isInText) io.out('\n');
    state.isInText = false;
  };
  const line = (text: string): void => {
    endText();
    io.err(`${text}\n`);
  };
  return (event) => {
    if (event.type === 'text') {
      io.out(makeVisible(event.delta, { keepLines: true }));
      if (event.delta !== '') state.isInText = !event.delta.endsWith('\n');
    } else {
      const shown = shownLine(io, event);
      if (shown !== undefined) line(shown);
    }
    if (event.type === 'run.ended') endText();
  };
}

function shownLine({ color }: Io, event: RunEvent): string | undefined {
  switch (event.type) {
    case 'run.started':
      return color.dim(
        `${event.isResumed ? 'resumed' : 'run'} ${event.run}  agent ${event.agent}  model ${event.model}${event.isScripted ? ' (scripted: no model is asked)' : ''}`,
      );
    case 'notice':
      return color.yellow(makeVisible(event.message));
    case 'text.discarded':
      return color.yellow('the answer broke off and is asked for again; what stands above is void');
    case 'model.retry':
      return color.yellow(`model: ${makeVisible(event.reason)}; attempt ${event.attempt + 1} in ${(event.waitMs / 1000).toFixed(1)} s`);
    case 'tool.decision':
      return decisionLine({ color }, event);
    case 'tool.result':
      return color.dim(
        `  ${event.call} ${event.isError ? color.red(event.code ?? 'error') : 'done'} ${event.durationMs} ms  ${makeVisible(event.summary)}`,
      );
    case 'approval.requested':
      return color.yellow(`  ${event.call} asks a human: ${event.approval} (expires ${new Date(event.expiresMs).toISOString()})`);
    default:
      return undefined;
  }
}

function decisionLine({ color }: Pick<Io, 'color'>, event: Extract<RunEvent, { type: 'tool.decision' }>): string {
  const paint = event.verdict === 'allow' ? color.green : event.verdict === 'ask' ? color.yellow : color.red;
  const where = event.rule.line > 0 ? `${event.rule.file}:${event.rule.line}` : event.rule.file;
  const args = makeVisible(event.args.length > 160 ? `${event.args.slice(0, 160)}…` : event.args);
  const why =
    event.verdict === 'allow'
      ? color.dim(`(${event.rule.id}, ${where})`)
      : `${makeVisible(event.reason)} ${color.dim(`(${event.rule.id}, ${where})`)}`;
  return `${color.bold(`${event.call} ${makeVisible(event.tool)}`)} ${args}  ${paint(event.verdict)} ${why}`;
}
