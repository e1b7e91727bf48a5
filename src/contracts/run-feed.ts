import type { RunId, TenantId } from './ids.ts';

/**
 * One thing that happened in a run, for listeners. Events with a `seq` are in the run's journal and can be read again;
 * those without (a part of a text) are only for who listens now.
 */
export interface FeedEvent {
  /** 1-based line of the journal. */
  readonly seq?: number;
  readonly type: string;
  /** A JSON object; already redacted. */
  readonly data: unknown;
  /** `data` as one line of JSON, made once for all listeners. */
  readonly json?: string;
}

/** Follows runs, whichever process works on them. */
export interface RunFeed {
  /** All events after `afterSeq`, then new ones as they come, until the run has ended or the signal fires. */
  follow(run: { readonly tenant: TenantId; readonly run: RunId }, afterSeq: number, signal: AbortSignal): AsyncIterable<FeedEvent>;
}
