import path from 'node:path';
import { Option, type Command } from 'commander';
import { systemClock } from '../contracts/clock.ts';
import { FixRequestError } from '../contracts/errors.ts';
import { newRunId, newSessionId, parseAgentId, parseSessionId, type AgentId, type SessionId } from '../contracts/ids.ts';
import { silentLog } from '../contracts/log.ts';
import type { ApprovalSurface, RunItem, RunLimits } from '../contracts/run.ts';
import type { CommandContext } from './command.ts';

/** The flags that `ask` and `run` share, as commander gives them. */
export interface RunFlags {
  readonly agent?: string;
  readonly session?: string;
  readonly continue?: boolean;
  readonly workspace?: string;
  readonly project?: string;
  readonly lane?: string;
  readonly model?: string;
  readonly maxTurns?: string;
  readonly maxSeconds?: string;
  readonly maxUsd?: string;
  readonly approvals?: ApprovalSurface;
  readonly events?: boolean;
  readonly json?: boolean;
}

export function addRunFlags(command: Command): void {
  command
    .option('-a, --agent <name>', 'which agent (default: the only one, or "main")')
    .option('-s, --session <id>', 'continue this session')
    .option('-c, --continue', "continue the agent's latest session")
    .option('-w, --workspace <dir>', 'writable folder instead of the configured one')
    .option('--project <name>', 'work for this project of projects.yaml, in its repo')
    .option('--lane <name>', 'which lane of the project')
    .option('-m, --model <provider/name>', 'model instead of the configured one')
    .option('--max-turns <n>', 'at most this many model calls')
    .option('--max-seconds <n>', 'at most this long')
    .option('--max-usd <n>', 'at most this cost')
    .addOption(approvalsOption())
    .option('--events', 'print every event as one JSON line');
}

export function approvalsOption(): Option {
  const who = 'who answers questions: the terminal, nobody yet (the run parks, exit 4), or nobody (denied)';
  return new Option('--approvals <where>', who).choices(['terminal', 'wait', 'deny']);
}

/** Turns flags into the item that every door makes. @throws FixRequestError for a wrong flag. */
export async function itemFromFlags(context: CommandContext, flags: RunFlags, input: string): Promise<RunItem> {
  const { app } = context;
  const agent = await chooseAgent(context, flags.agent);
  const nowMs = Date.now();
  const place = await placeFromFlags(context, flags);
  const limits = limitsFrom(flags);
  return {
    kind: 'agent',
    runId: newRunId(nowMs),
    sessionId: await chooseSession(context, { agent, flags, nowMs }),
    tenant: app.tenant,
    agent,
    door: 'cli',
    principal: localUser(context),
    input,
    ...(flags.model === undefined ? {} : { model: flags.model }),
    ...place,
    ...(flags.workspace === undefined ? {} : { workspace: await workspaceFrom(app.cwd, flags.workspace) }),
    ...(limits === undefined ? {} : { limits }),
  };
}

/** The same answer as admission gives to a request. @throws FixRequestError for what is not listed, or comes too often. */
export async function placeFromFlags(
  { app }: Pick<CommandContext, 'app'>,
  flags: Pick<RunFlags, 'project' | 'lane' | 'workspace'>,
): Promise<Pick<RunItem, 'project' | 'lane' | 'workspace'>> {
  const { project, lane, workspace } = flags;
  if (project === undefined && lane === undefined) return {};
  if (workspace !== undefined)
    throw new FixRequestError(
      'cli.two-workspaces',
      '--workspace and --project were both given, and a run for a project works in its repo. Choose one.',
    );
  const [{ requestedPlace, exceededRate, workspaceOf }, { readProjects }] = await Promise.all([
    import('../control/request-project.ts'),
    import('../control/projects.ts'),
  ]);
  const home = await app.home();
  const ctx = { log: silentLog, projects: async () => await readProjects(home, app.tenant) };
  const named = { ...(project === undefined ? {} : { project }), ...(lane === undefined ? {} : { lane }) };
  const found = await requestedPlace(ctx, app.tenant, named);
  if (found === undefined) return {};
  const refusal = 'outcome' in found ? found : exceededRate({ clock: systemClock, runs: await app.runs() }, app.tenant, found);
  if (refusal !== undefined) throw new FixRequestError(refusal.code, refusal.message);
  return 'outcome' in found ? {} : { project: found.project.id, lane: found.lane.lane, workspace: workspaceOf(found.project) };
}

/** A folder that a person names must be there: a mistyped one would be made, and the agent would find it empty. */
async function workspaceFrom(cwd: string, given: string): Promise<string> {
  const { stat } = await import('node:fs/promises');
  const dir = path.resolve(cwd, given);
  // silent-ok: whatever the reason, it is no folder that a run could use.
  const found = await stat(dir).catch(() => undefined);
  if (found?.isDirectory() === true) return dir;
  throw new FixRequestError('cli.no-folder', `--workspace names ${dir}, which is not a folder. Make it first, or name another one.`);
}

/** Who sits at this machine. */
export function localUser({ app }: CommandContext): RunItem['principal'] {
  return { kind: 'user', id: app.env['USER'] ?? app.env['LOGNAME'] ?? 'local' };
}

/** The named agent; without a name the only one there is, or `main`. */
export async function chooseAgent({ app }: CommandContext, name: string | undefined): Promise<AgentId> {
  if (name !== undefined) return parseAgentId(name);
  const { listAgents } = await import('../worker/load-agent.ts');
  const names = await listAgents(await app.home(), app.tenant);
  if (names.includes('main')) return parseAgentId('main');
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return parseAgentId(only);
  const what =
    only === undefined
      ? 'There is no agent here yet. Make one with "clawhold agents new NAME".'
      : `No agent was named, and there are ${names.join(', ')}. Choose one with --agent NAME.`;
  throw new FixRequestError('cli.which-agent', what);
}

async function chooseSession(
  { app }: CommandContext,
  { agent, flags, nowMs }: { readonly agent: AgentId; readonly flags: RunFlags; readonly nowMs: number },
): Promise<SessionId> {
  const sessions = await app.sessions();
  if (flags.session !== undefined) {
    const id = parseSessionId(flags.session);
    const known = sessions.get(id);
    if (known === undefined || known.agent !== agent)
      throw new FixRequestError(
        'cli.unknown-session',
        `Agent ${agent} has no session ${id}. "clawhold runs list" shows sessions; leave --session out to begin a new one.`,
      );
    return id;
  }
  if (flags.continue === true) {
    const latest = (await app.runs()).latest({ tenant: app.tenant, agent });
    if (latest === undefined)
      throw new FixRequestError('cli.no-session', `Agent ${agent} has no session to continue yet. Leave --continue out to begin one.`);
    return latest.session;
  }
  const id = newSessionId(nowMs);
  sessions.create({ id, tenant: app.tenant, agent, createdMs: nowMs });
  return id;
}

function limitsFrom(flags: RunFlags): Partial<RunLimits> | undefined {
  const limits = {
    ...(flags.maxTurns === undefined ? {} : { turns: positive('--max-turns', flags.maxTurns, true) }),
    ...(flags.maxSeconds === undefined ? {} : { seconds: positive('--max-seconds', flags.maxSeconds, false) }),
    ...(flags.maxUsd === undefined ? {} : { usd: positive('--max-usd', flags.maxUsd, false) }),
  };
  return Object.keys(limits).length === 0 ? undefined : limits;
}

function positive(flag: string, text: string, isWhole: boolean): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || (isWhole && !Number.isInteger(value))) {
    throw new FixRequestError(
      'cli.bad-number',
      `${flag} was given ${JSON.stringify(text)}, which is not a ${isWhole ? 'whole ' : ''}number above 0. Give one, for example ${flag} 10.`,
    );
  }
  return value;
}
