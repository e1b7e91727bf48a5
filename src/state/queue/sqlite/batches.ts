import type { Answer, Asked, Failure, Held, Moment, OperationKind, Reply, Request } from './operations.ts';

/**
 * Sent to the writer's thread: what was asked in one tick, numbered from `first` on. Columns, and an ack without the names
 * of its fields, because a name is copied as often as it occurs.
 */
export interface RequestBatch {
  readonly first: number;
  readonly at: Moment;
  readonly kinds: readonly OperationKind[];
  readonly asks: readonly unknown[];
}

/** Sent back: what requests with consecutive numbers gave. */
export interface ReplyBatch {
  readonly first: number;
  /** Undefined where one failed. */
  readonly answers: readonly (Answer | undefined)[];
  readonly failures: ReadonlyMap<number, Failure>;
  /** Whether a consumer may find something that it did not find before. */
  readonly mayBeReady: boolean;
  /** Whether fences of this process are safe from a power cut, up to a bound in the file. */
  readonly hasReserved: boolean;
  /** How long the transaction took, when it was synced. */
  readonly syncMs?: number | undefined;
}

export function packRequests(first: number, requests: readonly Asked[], at: Moment): RequestBatch {
  return {
    first,
    at,
    kinds: requests.map(({ kind }) => kind),
    asks: requests.map(({ kind, ask }) => (kind === 'ack' ? [ask.tenant, ask.id, ask.fence] : ask)),
  };
}

export function unpackRequests({ kinds, asks, at }: RequestBatch): Request[] {
  return kinds.map((kind, index) => ({ kind, ask: kind === 'ack' ? unpackHeld(asks[index]) : asks[index], at }) as Request);
}

function unpackHeld(packed: unknown): Held {
  const [tenant, id, fence] = packed as [string, string, number];
  return { tenant, id, fence };
}

export function packReplies(replies: readonly Reply[]): Pick<ReplyBatch, 'answers' | 'failures'> {
  const failures = replies.flatMap((reply, index) => ('failure' in reply ? [[index, reply.failure] as const] : []));
  return { answers: replies.map((reply) => ('answer' in reply ? reply.answer : undefined)), failures: new Map(failures) };
}
