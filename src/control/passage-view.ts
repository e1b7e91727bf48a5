import type { WorkflowRow } from '../state/workflows.ts';

/** A passage through a workflow as programs see it, through whichever door. */
export interface PassageView {
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

export function passageView(row: WorkflowRow): PassageView {
  const { id, name, state, reason, createdMs, definition, done, run, step } = row;
  const here = state === 'failed' ? 'failed' : state === 'running' ? 'at work' : 'done';
  const steps: PassageView['steps'] = definition.steps.map(({ agent }, index) =>
    index < done.length
      ? { agent, state: 'done', run: done[index] ?? null }
      : { agent, state: index === step ? here : 'waits', run: index === step ? (run ?? null) : null },
  );
  return { id, workflow: name, state, reason, created: new Date(createdMs).toISOString(), steps };
}
