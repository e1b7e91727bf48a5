import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import type { JsonObject, JsonValue } from '../contracts/json.ts';
import { runsCommands, type ToolSet } from '../contracts/tool.ts';
import { openRoots } from './guard.ts';
import { parseCall } from './parse-call.ts';
import { toolCodes } from './tool-code.ts';
import { coreTools, openToolSet } from './tool-set.ts';

/** The whole core set that was ever decided. */
const decided = ['fs.read', 'fs.list', 'fs.write', 'fs.edit', 'code.search', 'shell.exec', 'time.now', 'http.fetch'];
const present = ['fs.read', 'fs.list', 'code.search', 'fs.write', 'fs.edit', 'shell.exec', 'time.now', 'http.fetch'];

/** Names beyond the decided ones, for which no decision record says `Tool: NAME`. */
function undecided(names: readonly string[], records: readonly string[]): readonly string[] {
  return names.filter((name) => !decided.includes(name) && !records.some((text) => text.includes(`Tool: ${name}\n`)));
}

function decisionRecords(): readonly string[] {
  const dir = path.join(import.meta.dirname, '../../docs/decisions');
  if (!fs.existsSync(dir)) return [];
  return fs.readdirSync(dir).map((name) => fs.readFileSync(path.join(dir, name), 'utf8'));
}

async function openTools(t: TestContext, names?: readonly string[]): Promise<ToolSet> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-set-'));
  const roots = await openRoots([{ name: 'workspace', dir, access: 'write' }]);
  t.after(async () => {
    await roots[Symbol.asyncDispose]();
    fs.rmSync(dir, { recursive: true });
  });
  return openToolSet({ roots, clock: { now: () => 1_790_000_000_123 }, hide: (text) => text, ...(names === undefined ? {} : { names }) });
}

test('the registry is exactly the core list, and MCP is absent', () => {
  const names = coreTools.map((tool) => tool.name);

  assert.deepEqual(names, present);
  assert.ok(names.length <= 8);
  assert.deepEqual(undecided(names, decisionRecords()), []);
});

test('sabotage: a ninth tool without a decision record is caught, and one with a record is not', () => {
  const names = [...decided, 'mail.send'];

  assert.deepEqual(undecided(names, decisionRecords()), ['mail.send']);
  assert.deepEqual(undecided(names, ['Status: accepted\nTool: mail.send\n']), []);
});

test('no tool takes an argument or has a name that could change configuration, grants or identity', async (t) => {
  const { tools } = await openTools(t);

  for (const tool of tools)
    assert.doesNotMatch(`${tool.name} ${Object.keys(tool.args).join(' ')}`, /grant|config|polic|permission|approv|identity/);
});

test('every argument of every tool is declared, and effects come with a recovery', async (t) => {
  const { tools } = await openTools(t);

  for (const tool of tools) {
    assert.deepEqual(Object.keys(tool.args), Object.keys(tool.parameters['properties'] as JsonObject), tool.name);
    assert.equal(tool.parameters['additionalProperties'], false, tool.name);
    const recovery =
      tool.effects.includes('outside') || runsCommands(tool) ? 'ask-human' : tool.effects.includes('mutating') ? 'compare-target' : 'redo';
    assert.equal(tool.recovery, recovery, tool.name);
    assert.equal(tool.plan !== undefined, tool.recovery === 'compare-target', tool.name);
  }
});

test('the whole list of eight tools takes less than 3.5 KB of a prompt', async (t) => {
  const { tools } = await openTools(t);
  const specs = tools.map((tool) => ({ name: tool.name, description: tool.summary, parameters: tool.parameters }));

  assert.ok(JSON.stringify(specs).length < 3.5 * 1024, `${JSON.stringify(specs).length} bytes`);
});

test('an agent has only the tools it is given, in the registry’s order', async (t) => {
  const set = await openTools(t, ['time.now', 'fs.read', 'mail.send']);

  assert.deepEqual(
    set.tools.map((tool) => tool.name),
    ['fs.read', 'time.now'],
  );
  assert.equal(set.get('fs.write'), undefined);
});

const badCalls: readonly [name: string, argumentsText: string, code: string, says: RegExp][] = [
  ['mail.send', '{}', 'tool.unknown', /no tool "mail\.send".*fs\.read/],
  ['shell.exec', '{"argv": "npm test"}', 'tool.bad-arguments', /argv/],
  ['shell.exec', '{"argv": []}', 'tool.bad-arguments', /argv/],
  ['shell.exec', '{"argv": ["a\\u0000b"]}', 'tool.bad-arguments', /argv/],
  ['shell.exec', '{"command": "rm -rf /"}', 'tool.bad-arguments', /command/],
  ['__proto__', '{}', 'tool.unknown', /no tool/],
  ['fs.read', '{"path"', 'tool.bad-arguments', /not JSON/],
  ['fs.read', '[]', 'tool.bad-arguments', /one JSON object/],
  ['fs.read', 'null', 'tool.bad-arguments', /one JSON object/],
  ['fs.read', '{}', 'tool.bad-arguments', /`path` must be string/],
  ['fs.read', '{"path": 1, "mode": "r"}', 'tool.bad-arguments', /`path` must be string; there is no argument `mode`/],
  ['fs.read', '{"path": "a", "offset": 0}', 'tool.bad-arguments', /`offset` must be at least 1/],
  ['fs.read', '{"path": "a", "offset": 1.5}', 'tool.bad-arguments', /`offset` must be int/],
  ['fs.read', '{"path": "a", "__proto__": {"x": 1}}', 'tool.bad-arguments', /`__proto__`/],
  ['fs.write', '{"path": "a"}', 'tool.bad-arguments', /`content` must be string/],
  ['fs.write', '{"path": "a", "content": "\\ud800"}', 'tool.bad-arguments', /well-formed/],
  ['fs.edit', '{"path": "a"}', 'tool.bad-arguments', /exactly one of/],
  ['fs.edit', '{"path": "a", "edits": [], "patch": null}', 'tool.bad-arguments', /at least 1 items/],
  ['fs.edit', '{"path": "a", "edits": [{"oldText": "a", "newText": "b"}], "patch": "x"}', 'tool.bad-arguments', /exactly one of/],
  ['code.search', '{"query": "a\\nb"}', 'tool.bad-arguments', /one line/],
  ['code.search', '{"query": "a", "glob": "!.git"}', 'tool.bad-arguments', /begin with/],
  ['time.now', '{"zone": "UTC"}', 'tool.bad-arguments', /It takes: none/],
];
for (const [name, argumentsText, code, says] of badCalls) {
  test(`a call is refused with ${code}: ${name} ${argumentsText}`, async (t) => {
    const parsed = parseCall(await openTools(t), { name, argumentsText });

    assert.ok('refused' in parsed);
    assert.equal(parsed.refused.code, code);
    assert.match(parsed.refused.text, says);
    assert.ok(code in toolCodes);
  });
}

test('an argument that is null counts as left out', async (t) => {
  const parsed = parseCall(await openTools(t), { name: 'fs.read', argumentsText: '{"path": "a", "offset": null}' });

  assert.deepEqual('args' in parsed && parsed.args, { path: 'a' } satisfies JsonValue);
});

test('time.now tells the injected clock’s time', async (t) => {
  const tool = (await openTools(t)).get('time.now');

  const result = await tool?.perform({}, { signal: AbortSignal.timeout(1000) });

  assert.equal(result?.data?.['iso'], '2026-09-21T14:13:20.123Z');
  assert.equal(result?.data?.['epochMs'], 1_790_000_000_123);
  assert.equal(typeof result?.data?.['timeZone'], 'string');
});

test('arguments that are nested too deep are refused before anything walks them', async (t) => {
  const tools = await openTools(t);
  const argumentsText = `{"path":"a","x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;

  const call = parseCall(tools, { name: 'fs.read', argumentsText });

  assert.ok('refused' in call);
  assert.match(call.refused.text, /nested deeper than 100 levels/);
});
