import type { GiveBack, QueueScope, TaskState, TenantShare } from '../../queue.ts';

/** When something was asked for, by both clocks of the asking process. */
export interface Moment {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** A checked task on its way to the file. */
export interface NewTask {
  readonly tenant: string;
  readonly agentType: string;
  readonly shard: number;
  readonly id: string;
  readonly key: string;
  /** The whole message as JSON. */
  readonly message: string;
  readonly priority: number;
  readonly notBeforeMs: number | undefined;
  readonly maxDeliveries: number;
}

export interface GivenTask {
  readonly message: string;
  readonly fence: number;
  readonly delivery: number;
}

/** Which delivery of which task somebody speaks of. */
export interface Held {
  readonly tenant: string;
  readonly id: string;
  readonly fence: number;
}

export type TaskScope = QueueScope & { readonly task?: string };

/** What the writer's thread can be asked for, and what it answers. */
export interface Operations {
  put: { ask: { readonly tasks: readonly NewTask[] }; answer: PutAnswer };
  lease: {
    ask: { readonly worker: string; readonly leaseMs: number; readonly max: number; readonly scope: QueueScope };
    answer: readonly GivenTask[];
  };
  extend: { ask: Held & { readonly leaseMs: number }; answer: boolean };
  ack: { ask: Held; answer: boolean };
  nak: {
    ask: Held & { readonly why: GiveBack };
    answer: TaskState | undefined;
  };
  requeue: { ask: { readonly scope: TaskScope }; answer: number };
  remove: { ask: { readonly scope: TaskScope; readonly state: Exclude<TaskState, 'leased'> | undefined }; answer: number };
  pause: { ask: { readonly scope: QueueScope; readonly isPaused: boolean }; answer: null };
  share: { ask: { readonly tenant: string; readonly share: TenantShare }; answer: null };
  forget: { ask: { readonly beforeMs: number; readonly after: number }; answer: Forgotten };
}

export type OperationKind = keyof Operations;

/** How many were removed, and after which row to go on; undefined when nothing older is left. */
export interface Forgotten {
  readonly count: number;
  readonly next: number | undefined;
}

/** For each task its id and whether it is new; or the id that another task of the tenant has already. */
export type PutAnswer = { readonly outcomes: readonly { readonly id: string; readonly isNew: boolean }[] } | { readonly takenId: string };

export type Asked = {
  [K in OperationKind]: { readonly kind: K; readonly ask: Operations[K]['ask'] };
}[OperationKind];

export type Request = Asked & { readonly at: Moment };

export type Answer = Operations[OperationKind]['answer'];

export interface Failure {
  readonly code: number;
  readonly message: string;
}

export type Reply = { readonly answer: Answer } | { readonly failure: Failure };

/** How many rows one transaction changes at most, so that nobody waits long for the write lock. */
export const chunk = 500;
