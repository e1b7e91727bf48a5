import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import type { McpPins } from '../contracts/mcp-pins.ts';
import type { Tool, ToolResult } from '../contracts/tool.ts';
import { openMcpTools, probeMcpServer, type McpOptions, type McpTools, type StartMcp } from './mcp.ts';
import { secretFree, startMcpInSandbox } from './mcp-in-sandbox.ts';
import { comparePin, makePin, type McpServer } from './mcp-pin.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

const fixtures = path.join(import.meta.dirname, 'fixtures');

function serverOf(mode = '', file = 'mcp-server.mjs'): McpServer {
  return { command: [process.execPath, path.join(fixtures, file), mode], env: { GIVEN: 'yes' } };
}

/** Stands where a sandbox would: the process has exactly the given environment. */
function startPlainly(server: McpServer, pids: number[] = []): StartMcp {
  return async ({ onStdout }) => {
    const [program = '', ...args] = server.command;
    const child = spawn(program, args, { env: server.env, stdio: ['pipe', 'pipe', 'ignore'] });
    pids.push(child.pid!);
    child.stdout.on('data', onStdout);
    child.stdin.on('error', () => undefined);
    const ended = new Promise<string>((resolve) => child.on('close', (code) => resolve(`exit ${code}`)));
    return {
      write: (bytes) => void child.stdin.write(bytes),
      ended,
      async stop() {
        child.kill('SIGKILL');
        await ended;
      },
    };
  };
}

async function pinned(server = serverOf()): Promise<McpPins> {
  const { tools } = await probeMcpServer(startPlainly(server));
  return { version: 1, servers: { notes: makePin(server, tools) } };
}

interface World {
  readonly mcp: McpTools;
  readonly pids: number[];
  call(tool: string, args?: Record<string, string>, signal?: AbortSignal): Promise<ToolResult>;
}

function open(t: TestContext, pins: McpPins, more: Partial<McpOptions> & { readonly real?: McpServer } = {}): World {
  const pids: number[] = [];
  const mcp = openMcpTools({
    servers: { notes: serverOf() },
    pins,
    start: (_, server) => startPlainly(more.real ?? server, pids),
    ...more,
  });
  t.after(async () => await mcp[Symbol.asyncDispose]());
  return {
    mcp,
    pids,
    async call(tool, args = {}, signal = AbortSignal.timeout(20_000)) {
      const found = mcp.tools.find((each) => each.name === `mcp.notes.${tool}`);
      assert.ok(found !== undefined, `no tool ${tool}`);
      const parsed = found.parse(args);
      assert.ok(parsed.ok, JSON.stringify(parsed));
      return await found.perform(parsed.args, { signal });
    },
  };
}

test('a real server’s pinned tools can be called, in its explicit environment only', async (t) => {
  const pins = await pinned();
  const at = open(t, pins);

  const [first, second, env] = [await at.call('add', { text: 'a' }), await at.call('add', { text: 'b' }), await at.call('env')];

  assert.deepEqual(first, { isError: false, text: 'a', source: 'tool:mcp.notes.add' });
  assert.equal(second.text, 'a,b');
  assert.equal((JSON.parse(env.text) as Record<string, string>)['GIVEN'], 'yes');
  assert.equal((JSON.parse(env.text) as Record<string, string>)['HOME'], undefined);
  assert.equal(at.pids.length, 1);
});

test('what is offered to the model comes from the pin alone, at its strictest', async (t) => {
  const pins = await pinned();
  const at = open(t, pins);

  assert.deepEqual(
    at.mcp.tools.map((tool) => tool.name).toSorted(),
    ['add', 'crash', 'env', 'fail', 'slow', 'turn'].map((name) => `mcp.notes.${name}`),
  );
  assert.equal(at.pids.length, 0);
  const add = at.mcp.tools.find((tool) => tool.name === 'mcp.notes.add');
  assert.deepEqual(add?.effects, ['private', 'mutating', 'outside']);
  assert.deepEqual(add?.args, { text: { role: 'destination' } });
  assert.deepEqual([add?.structured, add?.recovery, add?.parameters['additionalProperties']], [[], 'ask-human', false]);
});

test('a human narrows effects and roles in the pin, and a new pin of the same parameters keeps it', async (t) => {
  const pins = await pinned();
  const notes = pins.servers['notes']!;
  const narrowed = {
    ...notes,
    tools: { ...notes.tools, add: { ...notes.tools['add']!, effects: ['read' as const], args: { text: { role: 'content' as const } } } },
  };
  const { tools } = await probeMcpServer(startPlainly(serverOf()));

  const offered = (of: typeof tools): Tool | undefined =>
    open(t, { version: 1, servers: { notes: makePin(serverOf(), of, narrowed) } }).mcp.tools.find(({ name }) => name === 'mcp.notes.add');
  const add = offered(tools);

  assert.deepEqual([add?.effects, add?.args], [['read'], { text: { role: 'content' } }]);
  const other = tools.map((tool) => ({ ...tool, parameters: { type: 'object', properties: {} } }));
  assert.deepEqual(offered(other)?.effects, ['private', 'mutating', 'outside']);
});

for (const [mode, what] of [
  ['poisoned', 'description'],
  ['wider', 'parameters'],
] as const) {
  test(`a tool with another ${what} than the pinned one is refused, and others still work`, async (t) => {
    const at = open(t, await pinned(), { real: serverOf(mode) });

    const answer = await at.call('add', { text: 'a' });

    assert.deepEqual([answer.isError, answer.code], [true, 'mcp.changed']);
    assert.match(answer.text, new RegExp(what));
    assert.doesNotMatch(answer.text, /evil/);
    assert.equal((await at.call('env')).isError, false);
  });
}

test('a tool that was not pinned does not exist, and one that is gone is refused', async (t) => {
  const more = open(t, await pinned(), { real: serverOf('more') });
  const gone = open(t, await pinned(serverOf('more')), { servers: { notes: serverOf('more') }, real: serverOf() });

  assert.equal(
    more.mcp.tools.some((tool) => tool.name.endsWith('steal')),
    false,
  );
  assert.equal((await gone.call('steal')).code, 'mcp.changed');
});

test('a tool that changes in the middle of a run is refused from then on', async (t) => {
  const at = open(t, await pinned());

  assert.equal((await at.call('turn')).text, 'turned');
  assert.equal((await at.call('turn')).code, 'mcp.changed');
});

test('another command, environment or host than the pinned one starts nothing', async (t) => {
  const pins = await pinned();
  for (const change of [{ command: [process.execPath, '-e', ''] }, { env: { GIVEN: 'no' } }, { hosts: ['evil.test'] }]) {
    const at = open(t, pins, { servers: { notes: { ...serverOf(), ...change } } });

    assert.equal((await at.call('env')).code, 'mcp.unavailable');
    assert.equal(at.pids.length, 0);
  }
});

test('without pins, or for a server that agent.yaml does not name, there is no tool', async (t) => {
  const pins = await pinned();

  assert.deepEqual(openMcpTools({ servers: { notes: serverOf() }, pins: undefined, start: () => assert.fail() }).tools, []);
  assert.deepEqual(openMcpTools({ servers: { other: serverOf() }, pins, start: () => assert.fail() }).tools, []);
  assert.equal(open(t, pins).mcp.tools.length, 6);
});

test('a server that ended is started anew, and the model is told that it remembers nothing', async (t) => {
  const at = open(t, await pinned());
  await at.call('add', { text: 'a' });

  assert.equal((await at.call('crash')).code, 'mcp.failed');
  const after = await at.call('add', { text: 'b' });

  assert.match(after.text, /^\[The server notes was started anew: what it remembered from before is gone\.\]\nb$/);
  assert.equal((await at.call('add', { text: 'c' })).text, 'b,c');
});

test('in a resumed run the model is told at the first call', async (t) => {
  const at = open(t, await pinned(), { isResumed: true });

  assert.match((await at.call('add', { text: 'a' })).text, /started anew/);
});

test('a call that takes too long, or is stopped, is cancelled at the server', async (t) => {
  const pins = await pinned();
  const slow = open(t, pins, { limits: { callMs: 200 } });
  assert.equal((await slow.call('slow')).code, 'mcp.timed-out');
  assert.equal((await slow.call('add', { text: 'x' })).text, 'cancelled,x');

  const stopped = open(t, pins);
  await stopped.call('env');
  const stop = new AbortController();
  const pending = stopped.call('slow', {}, stop.signal);
  setTimeout(() => stop.abort(), 100);
  assert.equal((await pending).code, 'mcp.failed');
  assert.equal((await stopped.call('add', { text: 'x' })).text, 'cancelled,x');
});

test('an error of the tool is a result, and arguments that do not exist are told at once', async (t) => {
  const at = open(t, await pinned());
  const add = at.mcp.tools.find((tool) => tool.name === 'mcp.notes.add')!;

  assert.deepEqual(await at.call('fail'), { isError: true, code: 'mcp.failed', text: 'it went wrong', source: 'tool:mcp.notes.fail' });
  assert.match(JSON.stringify(add.parse({ text: 'a', path: '/etc' })), /no argument `path`/);
  assert.match(JSON.stringify(add.parse({})), /`text` is missing/);
  assert.match(JSON.stringify(add.parse([])), /one JSON object/);
});

test('calls at the same time share one server', async (t) => {
  const at = open(t, await pinned());

  await Promise.all([at.call('env'), at.call('env'), at.call('env')]);

  assert.equal(at.pids.length, 1);
});

test('after the end no server runs, and none is started', async (t) => {
  const at = open(t, await pinned());
  await at.call('env');

  await at.mcp[Symbol.asyncDispose]();

  assert.throws(() => process.kill(at.pids[0]!, 0));
  assert.equal((await at.call('env')).code, 'mcp.unavailable');
});

for (const mode of ['garbage', 'flood', 'exit', 'silent', 'version', 'no-tools', 'endless', 'twice', 'shapeless', 'many']) {
  test(`a server that breaks the protocol is refused and stopped: ${mode}`, async () => {
    const pids: number[] = [];

    await assert.rejects(
      async () =>
        await probeMcpServer(startPlainly(serverOf(mode, 'bad-mcp-server.mjs'), pids), {
          limits: { startMs: 1500, messageBytes: 1_000_000 },
        }),
      { name: 'Error' },
    );
    assert.throws(() => process.kill(pids[0]!, 0));
  });
}

test('what a server asks of us is refused, answers nobody asked for are ignored, and odd names cannot be pinned', async () => {
  const { tools, differences } = await probeMcpServer(startPlainly(serverOf('asks', 'bad-mcp-server.mjs')));

  assert.deepEqual(differences, [
    { tool: 'add', what: 'new' },
    { tool: 'a/../b', what: 'bad-name' },
  ]);
  assert.deepEqual(Object.keys(makePin(serverOf(), tools).tools), ['add']);
  assert.deepEqual(comparePin(makePin(serverOf(), tools), []), [{ tool: 'add', what: 'gone' }]);
});

test('a sandbox that cannot be started means no server', async (t) => {
  const at = open(t, await pinned(), {
    start: (_, server) =>
      startMcpInSandbox(server, { sandbox: async () => Promise.reject(new Error('no user namespaces here')), placeholders: new Map() }),
  });

  const answer = await at.call('env');

  assert.equal(answer.code, 'mcp.unavailable');
  assert.match(answer.text, /no user namespaces/);
});

test('a server in a sandbox is its one command, with placeholders for secrets, and ends with it', async (t) => {
  const pins = await pinned();
  const execs: unknown[] = [];
  let isStopped = false;
  const sandbox = {
    async exec(argv, options = {}) {
      execs.push([argv, options.env]);
      const [program = '', ...args] = argv;
      const child = spawn(program, args, { env: options.env, stdio: ['pipe', 'pipe', 'ignore'], signal: options.signal! });
      child.on('error', () => undefined);
      child.stdout.on('data', (bytes: Buffer) => options.onStdout?.(bytes));
      child.stdin.on('error', () => undefined);
      void (async () => {
        for await (const bytes of options.stdin as AsyncIterable<Uint8Array>) child.stdin.write(bytes);
      })();
      await new Promise((resolve) => child.on('close', resolve));
      return { end: 'exited' };
    },
    stop: async () => void (isStopped = true),
  } as Pick<Sandbox, 'exec' | 'stop'> as Sandbox;
  const server = { ...serverOf(), env: { TOKEN: 'Bearer {{secret:GITHUB_TOKEN}}', OTHER: '{{secret:NO_SUCH}}' } };
  const tokens = new Map([['GITHUB_TOKEN', 'ghp_chp1234']]);
  const at = open(
    t,
    { version: 1, servers: { notes: { ...pins.servers['notes']!, server: makePin(server, []).server } } },
    {
      servers: { notes: server },
      start: (_, each) => startMcpInSandbox(each, { sandbox: async () => sandbox, placeholders: tokens }),
    },
  );

  const env = JSON.parse((await at.call('env')).text) as Record<string, string>;
  await at.mcp[Symbol.asyncDispose]();

  assert.partialDeepStrictEqual(env, { TOKEN: 'Bearer ghp_chp1234', OTHER: '{{secret:NO_SUCH}}' });
  assert.equal(execs.length, 1);
  assert.equal(isStopped, true);
  assert.deepEqual(secretFree({ A: 'x' }, tokens), { A: 'x' });
});
