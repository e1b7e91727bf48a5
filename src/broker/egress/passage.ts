import { randomUUID } from 'node:crypto';
import { sha256 } from '../../contracts/json.ts';
import type { LedgerEventOf } from '../../contracts/ledger.ts';
import { EgressError } from '../egress-error.ts';
import type { HostPort } from '../host-name.ts';
import type { RequestTarget } from './request-target.ts';
import type { EdgeWorld } from './world.ts';

export interface PassageFacts {
  readonly mode: LedgerEventOf<'egress.open'>['mode'];
  readonly at: HostPort;
  /** All that were checked; the first that answers is connected to. */
  readonly addresses: readonly string[];
  readonly method?: string;
  readonly target?: RequestTarget;
  /** Names of secrets that were put in. */
  readonly secrets?: readonly string[];
}

/** One recorded way out: a tunnel, or a request with its answer. */
export interface Passage {
  bytesUp: number;
  bytesDown: number;
  status: number | undefined;
  /** Records the end, once. */
  close(outcome: string): Promise<void>;
}

type RecordWorld = Pick<EdgeWorld, 'run' | 'ledger' | 'clock'>;

/**
 * Records that something is about to leave.
 * @throws EgressError `egress.not-recorded`: then nothing may leave.
 */
export async function openPassage(world: RecordWorld, facts: PassageFacts): Promise<Passage> {
  const connection = randomUUID();
  const startedMs = world.clock.now();
  const { mode, at, addresses, method, target, secrets = [] } = facts;
  try {
    await world.ledger.append({
      type: 'egress.open',
      ...frame(world),
      connection,
      mode,
      ...at,
      addresses: [...addresses],
      ...(method === undefined ? {} : { method }),
      ...(target === undefined ? {} : { target: sha256(target.path + target.query) }),
      secrets: [...secrets],
    });
  } catch (error) {
    throw new EgressError('egress.not-recorded', 'Nothing left, because it could not be recorded. A human must look at the ledger.', {
      cause: error,
    });
  }
  let isClosed = false;
  const passage: Passage = {
    bytesUp: 0,
    bytesDown: 0,
    status: undefined,
    async close(outcome) {
      if (isClosed) return;
      isClosed = true;
      await recordClose(world, { connection, at, startedMs, outcome, passage });
    },
  };
  return passage;
}

/** Records that something was asked for and did not leave. */
export async function recordRefusal(world: RecordWorld, at: HostPort | undefined, outcome: string): Promise<void> {
  await recordClose(world, { connection: randomUUID(), at: at ?? { host: '', port: 0 }, startedMs: world.clock.now(), outcome });
}

interface Close {
  readonly connection: string;
  readonly at: HostPort;
  readonly startedMs: number;
  readonly outcome: string;
  readonly passage?: Pick<Passage, 'bytesUp' | 'bytesDown' | 'status'>;
}

async function recordClose(world: RecordWorld, { connection, at, startedMs, outcome, passage }: Close): Promise<void> {
  const { bytesUp = 0, bytesDown = 0, status } = passage ?? {};
  try {
    await world.ledger.append({
      type: 'egress.close',
      ...frame(world),
      connection,
      ...at,
      outcome,
      ...(status === undefined ? {} : { status }),
      bytesUp,
      bytesDown,
      durationMs: Math.max(0, Math.round(world.clock.now() - startedMs)),
    });
  } catch {
    // silent-ok: a ledger that failed once takes nothing more, so nothing further leaves; the open record stands.
  }
}

function frame({ run, clock }: RecordWorld): {
  readonly at: string;
  readonly run: string;
  readonly session: string;
  readonly agent: string;
} {
  return { at: new Date(clock.now()).toISOString(), run: run.run, session: run.session, agent: run.agent };
}
