import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { parseRunId, type RunId } from '../../src/contracts/ids.ts';
import { readLedger } from '../../src/governance/query-ledger.ts';
import { inProcess } from './in-process.ts';
import { allGrants, journalOf, newInstallation, type Installation } from './installation.ts';
import { serveHome, tokenOf, type Served } from './served.ts';

export interface Chaos {
  readonly tasks: number;
  readonly kills: number;
  /** Child processes that execute; then they are killed in turn with the server. */
  readonly executors: number;
  /** Between two kills. */
  readonly everyMs: number;
}

const script = `version: 1
branches:
  - when: '^write (\\S+)'
    turns:
      - calls: [{ tool: fs.write, args: { path: '{{user | match /^write (\\S+)/}}.md', content: 'by {{user}}' } }]
      - say: 'wrote {{user | match /^write (\\S+)/}}'
`;

const clawholdYaml = `model: chaos/script
serve:
  queue: { leaseSeconds: 1, maxDeliveries: 100 }
`;

/** The server on a home, started again whenever it was killed. */
class KilledServer {
  readonly #one: Installation;
  readonly #args: readonly string[];
  readonly #token: string;
  current: Promise<Served>;

  constructor(one: Installation, args: readonly string[], token: string) {
    this.#one = one;
    this.#args = args;
    this.#token = token;
    this.current = serveHome(one, args, token);
  }

  async kill(): Promise<void> {
    const served = await this.current;
    served.child.kill('SIGKILL');
    await served.done;
    this.current = serveHome(this.#one, this.#args, this.#token);
    await this.current;
  }
}

/** Many runs with one effect each, while server and executors are killed: none is lost, none has two effects. */
export async function survive({ tasks, kills, executors, everyMs }: Chaos): Promise<void> {
  using one = newInstallation({ agentYaml: allGrants, clawholdYaml, llmExtra: '  chaos: { wire: scripted, script: chaos.yaml }\n' });
  one.write('.clawhold/chaos.yaml', script);
  const server = new KilledServer(one, executors > 0 ? ['--executors', String(executors)] : [], await tokenOf(one));
  const names = Array.from({ length: tasks }, (_, index) => `n${index}`);
  const waiting = [...names];
  const runs = new Map<string, RunId>();
  const post = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) runs.set(name, await postUntilTaken(server, name));
  };
  const killing = (async (): Promise<void> => {
    for (let done = 0; done < kills; done += 1) {
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      if (executors > 0 && done % 2 === 1) killExecutors(one);
      else await server.kill();
    }
  })();
  await Promise.all([killing, ...Array.from({ length: 8 }, post)]);
  await allEnded(server, tasks);
  const served = await server.current;
  served.child.kill('SIGTERM');
  await served.done;

  assert.equal(new Set(runs.values()).size, tasks);
  await checkEffects(one, runs);
  const verified = await one.cli(['audit', 'verify', '--bundles'], { seconds: 120 });
  assert.equal(verified.code, 0, verified.stdout + verified.stderr);
}

/** The same key until somebody answers: whether an answer was lost or a request, one run comes of it. */
async function postUntilTaken(server: KilledServer, name: string): Promise<RunId> {
  for (;;) {
    const served = await server.current.catch(() => undefined);
    const answer = await served
      ?.ask('POST', '/api/v1/runs', { agent: 'main', input: `write ${name}` }, { 'idempotency-key': name })
      .catch(() => undefined);
    if (answer?.status === 202 || answer?.status === 200) return parseRunId(answer.json.run);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function killExecutors(one: Installation): void {
  // silent-ok: the server is just starting, and nothing is there to kill.
  const facts = fs.existsSync(path.join(one.home, 'serve.json')) ? fs.readFileSync(path.join(one.home, 'serve.json'), 'utf8') : '{}';
  for (const pid of (JSON.parse(facts) as { executorPids?: number[] }).executorPids ?? []) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // silent-ok: it died before.
    }
  }
}

async function allEnded(server: KilledServer, tasks: number): Promise<void> {
  for (let done = -1; done !== 0;) {
    const { json } = await (await server.current).ask('GET', '/api/v1/queue');
    const lanes = json.queues;
    done = lanes.reduce((sum: number, { ready, leased, scheduled }: Record<string, number>) => sum + ready! + leased! + scheduled!, 0);
    assert.ok(
      lanes.every(({ dead }: { dead: number }) => dead === 0),
      `of ${tasks}: ${JSON.stringify(json)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Each run is done, its file is there, and the ledger holds at most one change of it. */
async function checkEffects(one: Installation, runs: ReadonlyMap<string, RunId>): Promise<void> {
  await using app = inProcess(one);
  const changes = new Map<string, number>();
  const ends = new Map<string, Set<string>>();
  for await (const { event } of readLedger(path.join(one.home, 'tenants', 'default', 'ledger'))) {
    if (event.type === 'artifact.write') changes.set(event.run, (changes.get(event.run) ?? 0) + 1);
    if (event.type === 'run.end') ends.set(event.run, (ends.get(event.run) ?? new Set()).add(event.state));
  }
  const problems: string[] = [];
  for (const [name, run] of runs) {
    const journal = journalOf(app.bundleOf(run));
    const results = journal.filter(({ kind }) => kind === 'result').length;
    const [end] = ends.get(run) ?? [];
    const text = fs.readFileSync(path.join(one.workspace, `${name}.md`), 'utf8');
    if (results !== 1 || (changes.get(run) ?? 0) > 1 || end !== 'done' || text !== `by write ${name}`)
      problems.push(`${name} ${run}: ${results} results, ${changes.get(run)} changes, ${end}, ${JSON.stringify(text)}`);
  }
  assert.deepEqual(problems, []);
  assert.equal(fs.readdirSync(one.workspace).length, runs.size);
}
