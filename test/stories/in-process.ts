import assert from 'node:assert/strict';
import path from 'node:path';
import { auditVerify } from '../../src/cli/commands/audit-verify.ts';
import { liveState } from '../../src/cli/commands/find-run.ts';
import type { CommandContext } from '../../src/cli/command.ts';
import { wire } from '../../src/cli/wire.ts';
import type { RunId } from '../../src/contracts/ids.ts';
import type { ApprovalSurface } from '../../src/contracts/run.ts';
import { readLedger } from '../../src/governance/query-ledger.ts';
import { homeAt } from '../../src/state/home.ts';
import type { RunRow } from '../../src/state/runs.ts';
import { resumeRun } from '../../src/worker/resume-run.ts';
import type { ItemOutcome, WorkerContext } from '../../src/worker/worker-context.ts';
import { withSendTool } from './send-tool.ts';
import { journalOf, type Document, type Installation } from './installation.ts';

/** An installation opened in the process of the test: another process than the one that was killed. */
export interface InProcess extends AsyncDisposable {
  runs(): Promise<RunRow[]>;
  liveState(id: RunId): Promise<string>;
  bundleOf(id: RunId): string;
  worker(surface: ApprovalSurface): Promise<WorkerContext>;
  resume(id: RunId, surface?: ApprovalSurface): Promise<ItemOutcome>;
  /** The run's ledger events, of one type or all. */
  events(id: RunId, type?: string): Promise<Document[]>;
  /** The ledger verifies, and holds what the journal holds. */
  checkRecord(id: RunId): Promise<void>;
}

export function inProcess(one: Installation): InProcess {
  const app = wire({ env: one.env, cwd: one.root });
  const home = homeAt(one.home);
  const worker: InProcess['worker'] = async (surface) => {
    const opened = await app.worker({ emit: () => {}, surface });
    return { ...opened, openTools: async (agent) => withSendTool(await opened.openTools(agent), one.root) };
  };
  const events: InProcess['events'] = async (id, type) => {
    const found: Document[] = [];
    for await (const { event } of readLedger(home.ledgerDir(app.tenant), { run: id })) found.push(event);
    return found.filter((event) => type === undefined || event.type === type);
  };
  const bundleOf = (id: RunId): string => home.runDir(app.tenant, id);
  return {
    runs: async () => (await app.runs()).list(),
    liveState: async (id) => {
      const row = (await app.runs()).get(id);
      assert.ok(row !== undefined);
      return await liveState({ app } as CommandContext, row);
    },
    bundleOf,
    worker,
    resume: async (id, surface = 'deny') =>
      await resumeRun(await worker(surface), id, { signal: new AbortController().signal, approvals: surface }),
    events,
    checkRecord: async (id) => {
      const keyFile = path.join(app.userDir, 'keys', 'ledger.ed25519');
      const { report } = await auditVerify({ home, tenant: app.tenant, keyFile }, { schema: true });
      assert.deepEqual(report.problems, []);
      matchRecords(journalOf(bundleOf(id)), await events(id));
    },
    [Symbol.asyncDispose]: async () => await app[Symbol.asyncDispose](),
  };
}

/** Every decision, intent, result and answer of the journal stands in the ledger, and the run has one start. */
function matchRecords(journal: readonly Document[], events: readonly Document[]): void {
  const of = (type: string): Document[] => events.filter((event) => event.type === type);
  assert.equal(of('run.start').length, 1, 'run.start');
  const calls = (type: string): Set<string> => new Set(of(type).map(({ call }) => call));
  const entries = (kind: string): Document[] => journal.filter((entry) => entry.kind === kind);
  const decided = new Set(entries('decisions').flatMap((entry) => entry.calls.map((call: Document) => call.callId)));
  assert.deepEqual(calls('tool.decision'), decided, 'tool.decision');
  assert.deepEqual(calls('tool.result'), new Set(entries('result').map(({ callId }) => callId)), 'tool.result');
  const answered = new Set(of('model.result').map(({ turn }) => turn));
  assert.deepEqual(answered, new Set(entries('model.answer').map(({ turn }) => turn)), 'model.result');
  const last = events.at(-1);
  assert.equal(last?.type, 'run.end');
}
