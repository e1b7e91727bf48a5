import type { RunEvent } from '../agent/run-events.ts';
import type { RuleRef } from '../contracts/policy.ts';
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
      if (event.delta !== '') Object.assign(state, { isInText: !event.delta.endsWith('\n'), hasText: true });
    } else {
      const shown = event.type === 'text.discarded' && !state.hasText ? undefined : shownLine(io, event);
      if (shown !== undefined) line(shown);
    }
    if (event.type === 'turn' || event.type === 'text.discarded') state.hasText = false;
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
      return resultLine({ color }, event);
    case 'approval.requested':
      return color.yellow(`    ${event.call} asks a human: ${event.approval} (expires ${new Date(event.expiresMs).toISOString()})`);
    default:
      return undefined;
  }
}

type Paint = Pick<Io, 'color'>;

/** An allowed call on one line, with the grant that the agent has; else the reason below it, and what would change it. */
function decisionLine({ color }: Paint, event: Extract<RunEvent, { type: 'tool.decision' }>): string {
  const args = makeVisible(event.args.length > 160 ? `${event.args.slice(0, 160)}…` : event.args);
  const call = `${color.bold(`${event.call} ${makeVisible(event.tool)}`)} ${args}`;
  if (event.verdict === 'allow') return `${call}  ${color.green('allow')} ${color.dim(shownRule(event.grant ?? event.rule))}`;
  const verdict = event.verdict === 'ask' ? color.yellow('ask') : color.red('deny');
  const why = [`    ${makeVisible(event.reason)}`];
  if (event.verdict === 'deny' && event.remedy !== event.reason) why.push(color.dim(`    ${makeVisible(event.remedy)}`));
  return [`${call}  ${verdict} ${color.dim(shownRule(event.rule))}`, ...why].join('\n');
}

/** The rule's name and where it stands; of a grant, the file in the agent's own folder. */
function shownRule({ layer, id, file, line }: RuleRef): string {
  const near = layer === 'agent' ? file.replace(/^.*\//, '') : file;
  return makeVisible(`${id} (${line > 0 ? `${near}:${line}` : near})`);
}

/** What a call gave; nothing where its decision has said it. */
function resultLine({ color }: Paint, event: Extract<RunEvent, { type: 'tool.result' }>): string | undefined {
  if (event.isError && toldByDecision.has(event.code ?? '')) return undefined;
  const state = event.isError ? color.red(event.code ?? 'error') : color.dim('done');
  return `    ${color.dim(event.call)} ${state} ${color.dim(`in ${event.durationMs} ms: ${makeVisible(event.summary)}`)}`;
}

const toldByDecision: ReadonlySet<string> = new Set(['policy.denied', 'tool.unknown', 'tool.bad-arguments']);
