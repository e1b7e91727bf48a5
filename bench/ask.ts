import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { newRunId, newSessionId } from '../src/contracts/ids.ts';
import type { ModelClient } from '../src/contracts/model.ts';
import { wire } from '../src/cli/wire.ts';
import { startRun } from '../src/worker/start-run.ts';
import { startOpenAiServer } from '../test/servers/openai-server.ts';

/**
 * One `ask` in a cold process against a local server that answers at once, with the full record on disk; the bytes of
 * its prompt; and what a turn costs in a process that is warm.
 *
 *     npm run build && node bench/ask.ts --runs 15
 */
const { values } = parseArgs({ options: { runs: { type: 'string', default: '15' }, turns: { type: 'string', default: '100' } } });
const program = path.join(import.meta.dirname, '..', 'dist', 'clawhold.mjs');
if (!existsSync(program))
  throw new Error(`${program} is missing: there is nothing to measure before it is built. Run "npm run build" first.`);

const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-ask-'));
const env = { PATH: process.env['PATH'], HOME: folder, CLAWHOLD_CONFIG_HOME: path.join(folder, 'user'), OPENAI_API_KEY: 'bench-key-0000' };
await using server = await startOpenAiServer({ turns: [{ text: 'Hello.' }] });

interface Child {
  readonly ms: number;
  readonly peakMb: number;
}

function runChild(args: readonly string[], isMeasured: boolean): Promise<Child> {
  const preload = isMeasured ? ['--require', path.join(import.meta.dirname, 'startup', 'report-peak.cjs')] : [];
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    const child = spawn(process.execPath, [...preload, ...args], {
      cwd: folder,
      env: { ...env, OPENAI_BASE_URL: server.baseUrl },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0) return reject(new Error(`${args.join(' ')} ended with exit ${code}. ${told}`));
      resolve({ ms: performance.now() - startedMs, peakMb: Number(/peak-kb=(\d+)/.exec(told)?.[1] ?? Number.NaN) / 1024 });
    });
  });
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

await runChild([program, 'init', '--template', 'scribe'], false);
const ask = [program, 'ask', 'hello', '--model', 'openai/bench'];
const cold: number[] = [];
const bare: number[] = [];
for (let run = -1; run < Number(values.runs); run += 1) {
  const [one, other] = [await runChild(ask, false), await runChild(['-e', '0'], false)];
  // The first round only fills caches.
  if (run >= 0) {
    cold.push(one.ms);
    bare.push(other.ms);
  }
}
const { peakMb } = await runChild(ask, true);
const sent = server.requests.at(-1)?.body ?? {};
const promptBytes = Buffer.byteLength(JSON.stringify({ messages: sent['messages'], tools: sent['tools'] }));

/** A model in the process: it asks for the time, turn after turn. */
function busyModel(turns: number): ModelClient {
  const facts = { model: 'bench/busy', isScripted: true, contextTokens: 1_000_000, maxOutputTokens: 1000, hasPrice: true };
  const usage = { inputTokens: 1, outputTokens: 1 };
  return {
    facts,
    call: async ({ messages }) => {
      const done = messages.filter((message) => message.role === 'tool').length;
      const toolCalls = done < turns ? [{ id: `c${done}`, name: 'time.now', argumentsText: '{}' }] : [];
      return { answer: { text: 'x', toolCalls, stop: toolCalls.length > 0 ? 'tool' : 'end', usage }, costMicroUsd: 0, attempts: 1 };
    },
  };
}

/** Milliseconds of a run with so many tool turns, all recorded durably. */
async function warmRun(worker: Awaited<ReturnType<ReturnType<typeof wire>['worker']>>, turns: number): Promise<number> {
  const nowMs = Date.now();
  const startedMs = performance.now();
  const item = {
    kind: 'agent',
    runId: newRunId(nowMs),
    sessionId: newSessionId(nowMs),
    tenant: 'default',
    agent: 'main',
    door: 'cli',
    principal: { kind: 'user', id: 'bench' },
    input: 'go',
  } as never;
  const outcome = await startRun(
    { ...worker, limits: { ...worker.limits, turns: 1000, toolCalls: 1000 }, openModel: async () => busyModel(turns) },
    item,
    new AbortController().signal,
  );
  if (outcome.state !== 'done') throw new Error(`the warm run ended ${outcome.state}: ${outcome.reason}`);
  return performance.now() - startedMs;
}

const turns = Number(values.turns);
const app = wire({ env, cwd: folder });
const worker = await app.worker({ emit: () => {}, surface: 'deny' });
await warmRun(worker, 10);
const many: number[] = [];
const none: number[] = [];
for (let run = 0; run < 5; run += 1) {
  none.push(await warmRun(worker, 0));
  many.push(await warmRun(worker, turns));
}
await app[Symbol.asyncDispose]();
const runFile = readFileSync(path.join(folder, '.clawhold', 'clawhold.yaml'), 'utf8');
if (!runFile.includes('version: 1')) throw new Error('the home was not made');
rmSync(folder, { recursive: true, force: true });

console.log(`| what | result | aim |
|---|---|---|
| cold \`ask\`, full record on disk, median of ${values.runs} | ${median(cold).toFixed(0)} ms (bare node ${median(bare).toFixed(0)} ms, ratio ${(median(cold) / median(bare)).toFixed(1)}) | ≤ 150 ms |
| its peak memory | ${peakMb.toFixed(0)} MB | ≤ 100 MB |
| prompt for "hello", messages and tool schemas | ${promptBytes} bytes | ≤ 8192 |
| warm run in process, one turn, durable | ${median(none).toFixed(1)} ms | |
| each further turn with a tool call, durable | ${((median(many) - median(none)) / turns).toFixed(2)} ms | ≤ 5 ms |`);
