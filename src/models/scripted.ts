import type { Message, ModelAnswer, ModelCallOptions, ModelProvider, ModelRequest } from '../contracts/model.ts';
import { estimateUsage } from './prices.ts';
import { fill, fillJson, type FillContext } from './script/fill.ts';
import type { Script, ScriptTurn } from './script/schema.ts';
import { statusError, streamCutError } from './wire/failures.ts';

export { parseScript, scriptFile, type Script } from './script/schema.ts';

/**
 * Plays a script of turns: no network, no key, no understanding. It keeps nothing between calls: which turn comes next
 * follows from the request's messages alone, so that a run resumed in another process goes on where it was.
 */
export function createScriptedProvider(name: string, script: Script): ModelProvider {
  return {
    name,
    isScripted: true,
    isConfigured: () => true,
    status: () => ({ name, isScripted: true, isConfigured: true }),
    checkHealth: async () => ({ isHealthy: true, detail: 'A scripted model needs nothing.' }),
    generate: (request, options) => play({ name, script }, request, options),
  };
}

/** What is said when a script has no turn left. */
export const endOfScript = 'This is a scripted model, and its script has no further turn.';

async function play(
  { name, script }: { readonly name: string; readonly script: Script },
  request: ModelRequest,
  options: ModelCallOptions,
): Promise<ModelAnswer> {
  options.signal.throwIfAborted();
  const { user, since } = sinceLastUser(request.messages);
  const branch = script.branches.find(({ when }) => when === undefined || new RegExp(when, 'iu').test(user));
  const turn = nextTurn(branch?.turns ?? [], since);
  const context: FillContext = {
    user,
    results: since.flatMap((message) =>
      message.role === 'tool' ? [{ tool: message.name, text: message.text, isError: message.isError }] : [],
    ),
  };
  const text = fill(turn?.say ?? (turn === undefined ? endOfScript : ''), context);
  if (turn?.fail !== undefined) return fail({ name, fail: turn.fail, text, options });
  const calls = turn?.calls ?? [];
  const position = request.messages.filter((message) => message.role === 'assistant').length + 1;
  const answer: ModelAnswer = {
    text,
    toolCalls: calls.map((call, index) => ({
      id: `call_${position}_${index + 1}`,
      name: call.tool,
      argumentsText: JSON.stringify(fillJson(call.args ?? {}, context)),
    })),
    stop: calls.length > 0 ? 'tool' : 'end',
  };
  await speak(text, options);
  return { ...answer, usage: turn?.usage ?? estimateUsage(request, answer) };
}

function sinceLastUser(messages: readonly Message[]): { readonly user: string; readonly since: readonly Message[] } {
  const at = messages.findLastIndex((message) => message.role === 'user');
  const message = messages[at];
  return { user: message?.role === 'user' ? message.text : '', since: messages.slice(at + 1) };
}

/** Walks the turns along the answers that were given, skipping by `if` as it was skipped then. */
function nextTurn(turns: readonly ScriptTurn[], since: readonly Message[]): ScriptTurn | undefined {
  let next = 0;
  let results: string[] = [];
  const advance = (): ScriptTurn | undefined => {
    const heard = results.join('\n');
    while (next < turns.length) {
      const turn = turns[next];
      next += 1;
      if (turn !== undefined && (turn.if === undefined || new RegExp(turn.if, 'imu').test(heard))) return turn;
    }
    return undefined;
  };
  for (const message of since) {
    if (message.role === 'tool') results.push(message.text);
    if (message.role !== 'assistant') continue;
    advance();
    results = [];
  }
  return advance();
}

/** Word by word, and each in a task of its own, as from a network. */
async function speak(text: string, { signal, onText }: ModelCallOptions): Promise<void> {
  if (onText === undefined) return;
  for (const word of text.match(/\S+\s*|\s+/g) ?? []) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    onText(word);
  }
}

interface Failure {
  readonly name: string;
  readonly fail: NonNullable<ScriptTurn['fail']>;
  readonly text: string;
  readonly options: ModelCallOptions;
}

async function fail({ name, fail: kind, text, options }: Failure): Promise<never> {
  if (typeof kind === 'object') throw statusError(name, { status: kind.status, said: 'the script says so' });
  await speak(text, options);
  if (kind === 'cut') throw streamCutError(name);
  return new Promise<never>((_, reject) => options.signal.addEventListener('abort', () => reject(options.signal.reason), { once: true }));
}
