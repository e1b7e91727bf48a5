import type { RunItem } from '../contracts/run.ts';
import type { ItemOutcome } from './worker-context.ts';

/** Who finishes an item of which kind; the wiring fills it. */
export type Runners = {
  readonly [K in RunItem['kind']]: (item: Extract<RunItem, { kind: K }>, signal: AbortSignal) => Promise<ItemOutcome>;
};

/** Takes one item and finishes it. Every door ends here, a queue or none in front. */
export async function runItem(runners: Runners, item: RunItem, signal: AbortSignal): Promise<ItemOutcome> {
  return await runners[item.kind](item, signal);
}
