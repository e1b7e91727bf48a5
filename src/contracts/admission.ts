import type { AgentId, RunId, SessionId } from './ids.ts';
import type { QuotaName } from './tenant.ts';
import type { RunItem } from './run.ts';

/** What a door asks for: who asks is the principal beside it. */
export interface RunRequest {
  readonly agent: AgentId;
  readonly input: string;
  readonly door: RunItem['door'];
  /** Absent: a new session. */
  readonly session?: SessionId;
  readonly model?: string;
  readonly limits?: RunItem['limits'];
  /** The same key of the same tenant gives the same run. Absent: a key of its own. */
  readonly idempotencyKey?: string;
  readonly priority?: number;
  readonly notBeforeMs?: number;
  readonly traceparent?: string;
}

/** The answer of the one entry to the queue. */
export type Admission =
  | {
      readonly outcome: 'admitted';
      readonly run: RunId;
      readonly session: SessionId;
      /** False: the idempotency key was known, nothing was put. */
      readonly isNew: boolean;
    }
  | { readonly outcome: 'refused'; readonly code: string; readonly message: string; readonly quota?: QuotaUse };

export interface QuotaUse {
  readonly name: QuotaName;
  readonly limit: number;
  readonly used: number;
}
