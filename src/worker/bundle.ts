import type { JournalEntry } from '../contracts/journal.ts';
import { renderRunFile } from '../state/run-file.ts';
import type { RunRow } from '../state/runs.ts';

type Entry<K extends JournalEntry['kind']> = Extract<JournalEntry, { kind: K }>;

/**
 * The folder that a run leaves, as relative path to text, derived from its journal alone: it can be made again at any
 * time and gives the same bytes.
 */
export function bundleFiles(entries: readonly JournalEntry[]): Map<string, string> {
  const accepted = entries.find((entry) => entry.kind === 'accepted');
  if (accepted === undefined) throw new TypeError('a journal without its first entry has no bundle');
  const files = new Map<string, string>();
  files.set('input.md', withNewline(accepted.item.input));
  const end = entries.findLast((entry) => entry.kind === 'end');
  if (end !== undefined) files.set('output.md', withNewline(end.output));
  for (const [name, text] of toolFiles(entries)) files.set(name, text);
  const costs = entries.filter((entry) => entry.kind === 'model.answer').map((entry) => costLine(accepted, entry));
  if (costs.length > 0) files.set('cost_telemetry.jsonl', costs.join(''));
  files.set('run.json', runFile(accepted, end, entries));
  return files;
}

/** The run's row, as its index has it, and what only people and programs outside read. */
function runFile(accepted: Entry<'accepted'>, end: Entry<'end'> | undefined, entries: readonly JournalEntry[]): string {
  const { item, atMs } = accepted;
  const { costMicroUsd, ...counts } = end?.totals ?? { turns: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0 };
  const row: RunRow = {
    id: item.runId,
    session: item.sessionId,
    tenant: item.tenant,
    agent: item.agent,
    state: end?.state ?? 'running',
    door: item.door,
    model: accepted.model,
    inputPreview: item.input.slice(0, 200),
    reason: end?.reason ?? '',
    createdMs: atMs,
    startedMs: atMs,
    ...(end === undefined ? {} : { endedMs: end.atMs }),
    ...counts,
    ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
  };
  return renderRunFile(row, {
    version: 1,
    principal: item.principal,
    isScripted: accepted.isScripted,
    build: accepted.build,
    createdAt: new Date(atMs).toISOString(),
    ...(end === undefined ? {} : { endedAt: new Date(end.atMs).toISOString(), durationMs: end.atMs - atMs }),
    limits: accepted.limits,
    resumed: entries.filter((entry) => entry.kind === 'resumed').length,
    pinned: accepted.pinned,
    tools: toolSummaries(entries),
  });
}

function toolSummaries(entries: readonly JournalEntry[]): object[] {
  return [...lastDecisions(entries)].map(([call, { request, decision }]) => {
    const result = entries.findLast((entry) => entry.kind === 'result' && entry.callId === call) as Entry<'result'> | undefined;
    return {
      call,
      tool: request.tool,
      verdict: decision.verdict,
      rule: `${decision.rule.file}:${decision.rule.line} ${decision.rule.id}`,
      isError: result?.result.isError,
      durationMs: result?.durationMs,
    };
  });
}

function toolFiles(entries: readonly JournalEntry[]): Map<string, string> {
  const results = new Map(entries.filter((entry) => entry.kind === 'result').map((entry) => [entry.callId, entry]));
  const files = new Map<string, string>();
  for (const [call, { request, decision }] of lastDecisions(entries)) {
    const result = results.get(call);
    const document = { call, request, decision, ...(result === undefined ? {} : { result: result.result, durationMs: result.durationMs }) };
    files.set(`tools/${call}.json`, `${JSON.stringify(document, null, 2)}\n`);
  }
  return files;
}

type Decided = Entry<'decisions'>['calls'][number];

function lastDecisions(entries: readonly JournalEntry[]): Map<string, Decided> {
  const decided = new Map<string, Decided>();
  for (const entry of entries) {
    if (entry.kind === 'decisions') for (const call of entry.calls) decided.set(call.callId, call);
  }
  return decided;
}

function costLine(accepted: Entry<'accepted'>, entry: Entry<'model.answer'>): string {
  const [provider, ...name] = accepted.model.split('/');
  const line = {
    at: new Date(entry.atMs).toISOString(),
    turn: entry.turn,
    provider,
    model: name.join('/'),
    usage: entry.answer.usage ?? null,
    actualCostUsd: entry.costMicroUsd === undefined ? null : entry.costMicroUsd / 1e6,
    attempts: entry.attempts,
    durationMs: entry.durationMs,
  };
  return `${JSON.stringify(line)}\n`;
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
