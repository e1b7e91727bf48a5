import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import type { JsonObject } from '../../contracts/json.ts';
import type { Resource } from '../../contracts/policy.ts';
import type { ToolResult, ToolSet } from '../../contracts/tool.ts';
import type { ExecResult } from '../../sandbox/sandbox.ts';
import type { CommandDoor, CommandOutcome, CommandToRun } from '../command-door.ts';
import { openRoots } from '../guard.ts';
import type { RootName } from '../path.ts';
import { resourcesOf } from '../resources.ts';
import { openToolSet } from '../tool-set.ts';

const exited: ExecResult = {
  end: 'exited',
  exitCode: 0,
  timedOut: false,
  outOfMemory: false,
  stdout: Buffer.from('fine\n'),
  stderr: new Uint8Array(),
  stdoutCutBytes: 0,
  stderrCutBytes: 0,
  removed: [],
};

interface Called {
  readonly result: ToolResult;
  readonly asked: readonly CommandToRun[];
}

interface Opened {
  readonly tools: ToolSet;
  readonly roots: readonly RootName[];
}

async function open(t: TestContext, commands?: CommandDoor): Promise<Opened> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-shell-'));
  const roots = await openRoots([{ name: 'workspace', dir, access: 'write' }]);
  t.after(async () => {
    await roots[Symbol.asyncDispose]();
    fs.rmSync(dir, { recursive: true });
  });
  const hide = (text: string): string => text.replaceAll('SECRET-VALUE', '[hidden]');
  const tools = openToolSet({ roots, clock: { now: () => 0 }, hide, ...(commands === undefined ? {} : { commands }) });
  return { tools, roots: roots.names };
}

async function call(t: TestContext, args: JsonObject, outcome?: CommandOutcome): Promise<Called> {
  const asked: CommandToRun[] = [];
  const commands: CommandDoor = {
    run: async (command) => {
      asked.push(command);
      return await Promise.resolve(outcome ?? { kind: 'ran', result: exited, isReplaced: false });
    },
  };
  const { tools } = await open(t, outcome === undefined ? undefined : commands);
  const tool = tools.get('shell.exec');
  assert.ok(tool);
  const result = await tool.perform(args, { signal: new AbortController().signal });
  return { result, asked };
}

/** A call in the folder, as the loop reads it; `DIR` is the workspace's folder on this machine. */
async function read(t: TestContext, written: string): Promise<{ readonly parsed: JsonObject; readonly resources: readonly Resource[] }> {
  const { tools, roots } = await open(t);
  const tool = tools.get('shell.exec') ?? assert.fail('no such tool');
  const parsed = tool.parse({ argv: ['ls'], cwd: written.replace('DIR', roots[0]?.dir ?? '') });
  assert.ok(parsed.ok);
  return { parsed: parsed.args, resources: resourcesOf(tool, parsed.args, roots) };
}

const ran = (result: Partial<ExecResult>, isReplaced = false): CommandOutcome => ({
  kind: 'ran',
  result: { ...exited, ...result },
  isReplaced,
});

test('without a sandbox nothing is run', async (t) => {
  const { result, asked } = await call(t, { argv: ['ls'] });

  assert.deepEqual([result.isError, result.code, asked.length], [true, 'sandbox.unavailable', 0]);
});

test('words, folder, variables, input and time reach the sandbox as they were written', async (t) => {
  const args = { argv: ['sh', '-c', 'a; b\n$(c)', ''], cwd: 'x', env: { A: '$B' }, stdin: 'in', timeoutSeconds: 5 };

  const { asked } = await call(t, args, ran({}));

  const { maxStdoutBytes: _, maxStderrBytes: _more, ...given } = asked[0] ?? assert.fail('nothing was run');
  assert.deepEqual(given, { argv: args.argv, cwd: 'x', env: { A: '$B' }, stdin: 'in', seconds: 5 });
});

const folders: readonly (readonly [written: string, one: string])[] = [
  ['/workspace', '.'],
  ['/workspace/', '.'],
  ['/workspace/x/./y/', 'x/y'],
  ['workspace:x', 'x'],
  ['./x//y', 'x/y'],
  ['DIR/x', 'x'],
];

for (const [written, one] of folders) {
  test(`a command's folder ${written} is ${one} before anything is decided, and to the sandbox`, async (t) => {
    const { parsed, resources } = await read(t, written);

    assert.equal(parsed['cwd'], one);
    assert.deepEqual(
      resources.map((resource) => (resource.kind === 'command' ? resource.cwd : resource.kind === 'file' && resource.path)),
      [one, one],
    );
    assert.equal((await call(t, parsed, ran({}))).asked[0]?.cwd, one);
  });
}

const refused = ['/workspace/../x', '/workspace/x/..', '/workspacefoo', '//workspace', '/workspace//etc', '/workspace/repo:x'];

for (const written of [...refused, '/workspace/.git/hooks', '/workspace/~', '/WORKSPACE', 'workspace:/workspace', '/etc']) {
  test(`a command's folder ${written} leads outside, and stays as it was written`, async (t) => {
    const { parsed, resources } = await read(t, written);

    assert.equal(parsed['cwd'], written);
    assert.deepEqual(new Set(resources.map(({ kind }) => kind)), new Set(['outside']));
  });
}

test('only the folder of a command is read as the command sees it', async (t) => {
  const { tools, roots } = await open(t);
  const tool = tools.get('fs.read') ?? assert.fail('no such tool');

  assert.equal(resourcesOf(tool, { path: '/workspace/a' }, roots)[0]?.kind, 'outside');
});

test('an exit code is an answer, and its text is untrusted from the program', async (t) => {
  const { result } = await call(t, { argv: ['make', 'test'] }, ran({ exitCode: 2, stderr: Buffer.from('1 failed') }));

  assert.deepEqual([result.isError, result.source, result.data?.['exitCode']], [false, 'shell:make', 2]);
  assert.equal(result.text, '[exit code 2]\nfine\n[stderr]\n1 failed');
});

const ends: readonly (readonly [name: string, outcome: CommandOutcome, code: string])[] = [
  ['its time', ran({ end: 'wall-limit', timedOut: true }), 'shell.timed-out'],
  ['its memory', ran({ end: 'memory-limit', outOfMemory: true }), 'shell.out-of-memory'],
  ['its output', ran({ end: 'output-limit' }), 'shell.too-much-output'],
  ['its disk', ran({ end: 'disk-limit' }), 'shell.disk-full'],
  ['a stop of the run', ran({ end: 'aborted' }), 'tool.cancelled'],
  ['the end of its sandbox', { kind: 'died', reason: 'it is gone.' }, 'sandbox.died'],
  ['a sandbox that cannot be had', { kind: 'unavailable', reason: 'none.' }, 'sandbox.unavailable'],
  ['a command that no sandbox takes', { kind: 'refused', reason: 'NUL.' }, 'tool.bad-arguments'],
];

for (const [name, outcome, code] of ends) {
  test(`a command that ended by ${name} is an error with the code ${code}`, async (t) => {
    const { result } = await call(t, { argv: ['x'] }, outcome);

    assert.deepEqual([result.isError, result.code], [true, code]);
  });
}

test('a secret is hidden before long output is shortened, also where it would be cut in two', async (t) => {
  for (const before of Array.from({ length: 14 }, (_, at) => 16 * 1024 - at)) {
    const stdout = Buffer.from(`${'a'.repeat(before)}SECRET-VALUE${'b'.repeat(40_000)}`);
    const { result } = await call(t, { argv: ['x'] }, ran({ stdout }));

    assert.doesNotMatch(result.text, /SECRET|aSE|VALUE/);
    assert.match(result.text, /characters are not shown/);
    assert.ok(result.text.length < 33 * 1024);
  }
});

test('bytes that are no text, a new sandbox and what was taken away are told', async (t) => {
  const outcome = ran({ stdout: Buffer.from([0xff, 0x41, 0xf0, 0x9f]), removed: ['.git/hooks/x'] }, true);

  const { result } = await call(t, { argv: ['x'] }, outcome);

  assert.match(result.text, /a new sandbox[^]*\ufffdA\ufffd[^]*taken away again[^]*\.git\/hooks\/x/);
});
