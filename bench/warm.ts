import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { makeAgent } from '../src/cli/make-agent.ts';
import { fillHome } from '../src/cli/make-home.ts';
import { wire } from '../src/cli/wire.ts';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../src/contracts/ids.ts';
import type { RunItem } from '../src/contracts/run.ts';
import { detectModels } from '../src/models/detect.ts';
import { createHome } from '../src/state/home.ts';
import { startRun } from '../src/worker/start-run.ts';
import { startOpenAiServer } from '../test/servers/openai-server.ts';

/**
 * What one run costs a process that is warm: one turn, the full record on the disk, a new session each, 1, 8 and 32 at
 * once. CPU is that of the process, of all its threads.
 *
 *     node bench/warm.ts [--runs 400] [--model scripted/hello] [--dir FOLDER]
 *
 * With `--model openai/bench` a local server answers at once; it lives in this process, so its CPU counts too.
 */
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '400' },
    model: { type: 'string', default: 'scripted/hello' },
    dir: { type: 'string', default: os.tmpdir() },
  },
});
const folder = mkdtempSync(path.join(values.dir, 'bench-warm-'));
await using server = await startOpenAiServer({ turns: [{ text: 'Hello.' }] });
const env = {
  HOME: folder,
  CLAWHOLD_CONFIG_HOME: path.join(folder, 'user'),
  OPENAI_API_KEY: 'bench-key-0000',
  OPENAI_BASE_URL: server.baseUrl,
};

function itemNow(): RunItem {
  const nowMs = Date.now();
  return {
    kind: 'agent',
    runId: newRunId(nowMs),
    sessionId: newSessionId(nowMs),
    tenant: parseTenantId('default'),
    agent: parseAgentId('main'),
    door: 'http',
    principal: { kind: 'user', id: 'bench' },
    input: 'hello',
    model: values.model,
  };
}

interface Figures {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly medianMs: number;
}

async function measure(runOne: () => Promise<void>, atOnce: number, runs: number): Promise<Figures> {
  const times: number[] = [];
  let left = runs;
  const startedMs = performance.now();
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left > 0) {
        left -= 1;
        const began = performance.now();
        await runOne();
        times.push(performance.now() - began);
      }
    }),
  );
  const cpu = process.cpuUsage(before);
  return {
    perSecond: (runs / (performance.now() - startedMs)) * 1000,
    cpuMs: (cpu.user + cpu.system) / 1000 / runs,
    medianMs: times.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? Number.NaN,
  };
}

try {
  const home = createHome(folder);
  await fillHome(home, await detectModels({ env: {} }));
  await makeAgent(home, { tenant: parseTenantId('default'), agent: parseAgentId('main'), template: 'scribe' });
  await using app = wire({ env, cwd: folder });
  const worker = await app.worker({ emit: () => {}, surface: 'deny' });
  const runOne = async (): Promise<void> => {
    const outcome = await startRun(worker, itemNow(), new AbortController().signal);
    if (outcome.state !== 'done') throw new Error(`the run ended ${outcome.state}: ${outcome.reason}`);
  };
  const runs = Number(values.runs);
  await measure(runOne, 8, Math.min(runs, 100));
  console.log('| at once | runs/s | CPU ms a run | p50 ms |\n|---|---|---|---|');
  for (const atOnce of [1, 8, 32]) {
    const { perSecond, cpuMs, medianMs } = await measure(runOne, atOnce, runs);
    console.log(`| ${atOnce} | ${perSecond.toFixed(0)} | ${cpuMs.toFixed(2)} | ${medianMs.toFixed(1)} |`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
