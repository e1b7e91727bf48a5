import { runAgent } from '../agent/run-agent.ts';
import type { AgentRun, DecidedTurn, RunAgentContext } from '../agent/run-context.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import type { ModelClient } from '../contracts/model.ts';
import type { Tool, ToolSet } from '../contracts/tool.ts';
import type { AcceptedEntry } from './continue-run.ts';
import type { ToolFacts, WorkerContext } from './worker-context.ts';

/** What the loop would send and decide, in order. */
export interface Seen {
  readonly prompts: { turn: number; replayed: string }[];
  readonly turns: DecidedTurn[];
}

export interface WalkInput {
  readonly run: AgentRun;
  readonly entries: readonly JournalEntry[];
  readonly accepted: AcceptedEntry;
  readonly seen: Seen;
  readonly tools: ToolFacts;
}

/** The record holds nothing further: a replay never acts. */
class RecordEnds extends Error {
  override readonly name = 'RecordEnds';
}

/**
 * Walks the loop along a record and notes what it sees. Everything that would act stops the walk instead; the result says
 * where, or is undefined when the record was complete.
 */
export async function walkRecord(ctx: WorkerContext, input: WalkInput): Promise<string | undefined> {
  try {
    await runAgent(inertContext(ctx, input), input.run, new AbortController().signal);
    return undefined;
  } catch (error) {
    if (error instanceof RecordEnds) return error.message;
    throw error;
  }
}

function recordEnds(where: string): never {
  throw new RecordEnds(`the record ends ${where}`);
}

function inertContext(ctx: WorkerContext, { run, entries, accepted, seen, tools }: WalkInput): RunAgentContext {
  return {
    journal: { entries, append: async (entry) => recordEnds(`before ${entry.kind}`) },
    ledger: { append: async (event) => recordEnds(`before ${event.type}`) },
    model: inertModel(run, accepted),
    tools: inertTools(tools.tools),
    resourcesOf: tools.resourcesOf,
    targetHash: async () => recordEnds('in the middle of an effect'),
    currentPolicy: async () => run.pinnedPolicy,
    approvals: { surface: 'deny', open: async () => recordEnds('at a question'), get: async () => undefined },
    redactor: ctx.redactor,
    clock: ctx.clock,
    saveUndo: async () => recordEnds('before an effect'),
    intents: new Map(),
    emit: () => {},
    checkHold: () => {},
    observe: {
      asked: (turn, replayed) => void seen.prompts.push({ turn, replayed }),
      decided: (turn) => void seen.turns.push(turn),
    },
  };
}

function inertModel(run: AgentRun, { isScripted }: AcceptedEntry): ModelClient {
  const { model, contextTokens, maxOutputTokens } = run;
  return {
    facts: { model, isScripted, contextTokens, maxOutputTokens, hasPrice: true },
    call: async () => recordEnds('before a model answer'),
  };
}

function inertTools(tools: ToolSet): ToolSet {
  return {
    tools: tools.tools.map(inertTool),
    get: (name) => {
      const tool = tools.get(name);
      return tool === undefined ? undefined : inertTool(tool);
    },
  };
}

function inertTool(tool: Tool): Tool {
  const stop = async (): Promise<never> => recordEnds(`before ${tool.name} was done`);
  return { ...tool, plan: stop, perform: stop };
}
