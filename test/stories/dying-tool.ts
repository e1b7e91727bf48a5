import fs from 'node:fs';
import type { Tool } from '../../src/contracts/tool.ts';
import { newRunId, newSessionId, parseAgentId } from '../../src/contracts/ids.ts';
import { processEnv, wire } from '../../src/cli/wire.ts';
import { startRun } from '../../src/worker/start-run.ts';
import type { OpenTools } from '../../src/worker/worker-context.ts';
import { withSendTool } from './send-tool.ts';

/** A run in a process that dies around the effect of one tool: `dying-tool.ts before|after TOOL`. */
const [when, name] = process.argv.slice(2);

function dying(tool: Tool): Tool {
  if (tool.name !== name) return tool;
  return {
    ...tool,
    perform: async (args, options) => {
      if (when === 'after') await tool.perform(args, options);
      fs.fsyncSync(fs.openSync('.', 'r'));
      process.kill(process.pid, 'SIGKILL');
      return await new Promise(() => {});
    },
  };
}

function dyingTools(open: OpenTools): OpenTools {
  const tools = open.tools.tools.map(dying);
  return { ...open, tools: { tools, get: (one) => tools.find((tool) => tool.name === one) } };
}

await using app = wire({ env: processEnv(), cwd: process.cwd() });
const worker = await app.worker({ emit: () => {}, surface: 'deny' });
const now = Date.now();
await startRun(
  { ...worker, openTools: async (agent) => dyingTools(withSendTool(await worker.openTools(agent), process.cwd())) },
  {
    kind: 'agent',
    runId: newRunId(now),
    sessionId: newSessionId(now),
    tenant: app.tenant,
    agent: parseAgentId('main'),
    door: 'cli',
    principal: { kind: 'user', id: 'tester' },
    input: 'Send hi to ada, and write a.md.',
  },
  new AbortController().signal,
);
