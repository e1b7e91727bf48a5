import type { JournalEntry } from '../contracts/journal.ts';
import type { RunEvent } from '../agent/run-events.ts';
import type { RunTotals } from '../contracts/run.ts';
import { GiveUpError } from '../contracts/errors.ts';

/** A server, and the right to ask it. */
export interface ServerDoor {
  readonly url: string;
  readonly token: string;
}

export interface RunOverHttp {
  readonly run: string;
  readonly state: string;
  readonly output: string;
  readonly reason: string;
  readonly totals?: RunTotals;
}

/**
 * Asks a server for a run and follows it to its end, event by event, as any client of the API does.
 * @throws GiveUpError when the server refuses.
 */
export async function driveOverHttp(
  door: ServerDoor,
  request: { readonly agent: string; readonly input: string },
  emit: (event: RunEvent) => void,
): Promise<RunOverHttp> {
  const { run } = (await call(door, '/api/v1/runs', { method: 'POST', body: JSON.stringify(request) })) as { readonly run: string };
  const following = new AbortController();
  const followed = follow(door, run, { emit, signal: following.signal });
  for (;;) {
    const answer = (await call(door, `/api/v1/runs/${run}?wait=20`)) as {
      readonly run: RunOverHttp & { readonly turns: number };
      readonly output: string;
    };
    const { state, reason } = answer.run;
    if (state === 'accepted' || state === 'running') continue;
    if (state === 'waiting') following.abort();
    const totals = await followed;
    return { run, state, reason, output: answer.output, ...(totals === undefined ? {} : { totals }) };
  }
}

async function call({ url, token }: ServerDoor, target: string, init: RequestInit = {}): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}`, ...(init.body === undefined ? {} : { 'content-type': 'application/json' }) };
  const response = await fetch(`${url}${target}`, { ...init, headers });
  if (response.ok) return await response.json();
  const text = await response.text();
  throw new GiveUpError(
    'cli.server-refused',
    `${url}${target} was refused with ${response.status}: ${text.slice(0, 500)}. See the server's log.`,
  );
}

/** Until the run ends; a stream that breaks off before is no failure of the run. */
async function follow(
  { url, token }: ServerDoor,
  run: string,
  { emit, signal }: { readonly emit: (event: RunEvent) => void; readonly signal: AbortSignal },
): Promise<RunTotals | undefined> {
  const told: Told = { hasText: false };
  try {
    const response = await fetch(`${url}/api/v1/runs/${run}/events`, { headers: { authorization: `Bearer ${token}` }, signal });
    let text = '';
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) {
      text += decoder.decode(part as Uint8Array, { stream: true });
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) tell(frame, told, emit);
    }
  } catch (error) {
    if (!signal.aborted) emit({ type: 'notice', message: `The events of the run broke off: ${(error as Error).message}` });
  }
  return told.totals;
}

interface Told {
  /** Of the turn at hand: its text was told part by part. */
  hasText: boolean;
  totals?: RunTotals;
}

function tell(frame: string, told: Told, emit: (event: RunEvent) => void): void {
  const data = /^data: (.*)$/m.exec(frame)?.[1];
  if (data === undefined) return;
  if (/^event: text$/m.test(frame)) {
    told.hasText = true;
    emit({ type: 'text', delta: (JSON.parse(data) as { readonly delta?: string }).delta ?? '' });
    return;
  }
  const entry = JSON.parse(data) as JournalEntry;
  for (const event of eventsOf(entry, told)) emit(event);
}

/** What a person is told of a journal entry. */
function eventsOf(entry: JournalEntry, told: Told): RunEvent[] {
  switch (entry.kind) {
    case 'accepted': {
      const { item, model, isScripted } = entry;
      return [{ type: 'run.started', run: item.runId, session: item.sessionId, agent: item.agent, model, isScripted, isResumed: false }];
    }
    case 'model.request':
      told.hasText = false;
      return [{ type: 'turn', turn: entry.turn }];
    case 'model.answer':
      return told.hasText || entry.answer.text === '' ? [] : [{ type: 'text', delta: entry.answer.text }];
    case 'decisions':
      return entry.calls.map(({ callId, request, decision }) => {
        const grant = decision.layers.find(({ layer }) => layer === 'agent')?.rule;
        const { verdict, rule, reason, remedy } = decision;
        const shown = { call: callId, tool: request.tool, args: JSON.stringify(request.args), verdict, rule, reason, remedy };
        return { type: 'tool.decision', ...shown, ...(grant === undefined ? {} : { grant }) };
      });
    case 'result': {
      const { isError, code, text } = entry.result;
      const lines = text.trimEnd().split('\n');
      const summary = `${lines[0]?.slice(0, 160) ?? ''}${lines.length === 1 ? '' : ` … ${lines.length} lines`}`;
      const shown = { call: entry.callId, tool: '', isError, summary, durationMs: entry.durationMs };
      return [{ type: 'tool.result', ...shown, ...(code === undefined ? {} : { code }) }];
    }
    case 'end': {
      const { state, reason, output, totals } = entry;
      told.totals = totals;
      return [{ type: 'run.ended', run: '', session: '', state, reason, output, totals }];
    }
    default:
      return [];
  }
}
