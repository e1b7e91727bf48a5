import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { AskHumanError, FixRequestError, GiveUpError, RetryableError } from '../contracts/errors.ts';
import type { RunEvent } from '../agent/run-events.ts';
import { exitCodeOfError, exitCodeOfRun } from './exit-codes.ts';
import { paletteFor, readAll, table, type Io } from './io.ts';
import { renderForPeople } from './render-events.ts';
import { report } from './report.ts';

function memoryIo(isJson = false): Io & { readonly said: { out: string; err: string } } {
  const said = { out: '', err: '' };
  return {
    said,
    stdin: Readable.from([]),
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    isJson,
    isTerminal: false,
    color: paletteFor(false),
  };
}

const hostile = 'a\u001b[2Jb\u202ec\u200bd\re';
const rule = { layer: 'agent', id: 'grants.x', file: 'agent.yaml', line: 3 } as const;

const events: readonly RunEvent[] = [
  { type: 'text', delta: hostile },
  { type: 'notice', message: hostile },
  { type: 'model.retry', attempt: 1, waitMs: 10, reason: hostile },
  { type: 'tool.decision', call: '1.1', tool: hostile, args: hostile, verdict: 'deny', rule, reason: hostile, remedy: hostile },
  { type: 'tool.result', call: '1.1', tool: 'fs.read', isError: false, summary: hostile, durationMs: 1 },
];

for (const event of events) {
  test(`nothing hostile in a ${event.type} event reaches the terminal`, () => {
    const io = memoryIo();

    renderForPeople(io)(event);

    assert.doesNotMatch(io.said.out + io.said.err, /[^\P{C}\n]/u);
    assert.match(io.said.out + io.said.err, /⟨U\+202E⟩/);
  });
}

test('the agent’s words go to stdout and everything else to stderr, each on lines of its own', () => {
  const io = memoryIo();
  const render = renderForPeople(io);

  render({ type: 'text', delta: 'I look' });
  render({ type: 'notice', message: 'a notice' });
  render({ type: 'text', delta: 'done\n' });

  assert.deepEqual(io.said, { out: 'I look\ndone\n', err: 'a notice\n' });
});

test('each state and failure has its documented exit code', () => {
  const runs = [
    [{ state: 'done' }, 0],
    [{ state: 'failed' }, 1],
    [{ state: 'denied' }, 3],
    [{ state: 'waiting' }, 4],
    [{ state: 'limited', code: 'limit.reached' }, 7],
    [{ state: 'limited', code: 'limit.seconds' }, 124],
    [{ state: 'cancelled' }, 130],
  ] as const;
  const errors = [
    [new FixRequestError('a.b', ''), 2],
    [new RetryableError('a.b', ''), 1],
    [new AskHumanError('a.b', ''), 1],
    [new GiveUpError('sandbox.gone', ''), 5],
    [new GiveUpError('ledger.verify-failed', ''), 6],
    [new Error('bug'), 1],
  ] as const;

  for (const [outcome, code] of runs) assert.equal(exitCodeOfRun(outcome), code, outcome.state);
  for (const [error, code] of errors) assert.equal(exitCodeOfError(error), code);
});

test('a failure is told once: one document for programs, one sentence for people, a stack for bugs alone', () => {
  const disk = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const failures = [
    { error: new FixRequestError('a.b', 'It is wrong \u001b.'), code: 'a.b', remedy: 'fix-request' },
    { error: disk, code: 'cli.disk', remedy: 'retry' },
  ];
  for (const { error, code, remedy } of failures) {
    const json = memoryIo(true);
    const text = memoryIo();
    report(json, error);
    report(text, error);
    const document = JSON.parse(json.said.out) as { ok: boolean; error: { code: string; message: string; remedy: string } };
    assert.deepEqual(
      [document.ok, document.error.code, document.error.remedy, json.said.err, text.said.out],
      [false, code, remedy, '', ''],
    );
    assert.match(text.said.err, /^clawhold: [^\n]+\n$/);
  }
  const bug = memoryIo();
  report(bug, new TypeError('a bug'));
  assert.match(bug.said.err, /at /);
});

test('standard input is read to its end, and refused beyond its limit or when it is no text', async () => {
  assert.equal(await readAll(Readable.from(['a', 'ü'])), 'aü');
  await assert.rejects(readAll(Readable.from(['12345']), 4), { code: 'cli.long-input' });
  for (const binary of [Buffer.from([0xff, 0xfe, 0x41]), Buffer.from('a\0b')])
    await assert.rejects(readAll(Readable.from([binary])), { code: 'cli.binary-input' });
});

test('colour is off where it is not wanted, and columns line up', () => {
  assert.equal(paletteFor(false).red('x'), 'x');
  assert.notEqual(paletteFor(true).red('x'), 'x');
  assert.equal(
    table([
      ['a', 'b'],
      ['long', 'c'],
    ]),
    'a     b\nlong  c',
  );
});

test('an allowed call names the grant of the agent, a denied one its reason and what would allow it, and nothing is said twice', () => {
  const io = memoryIo();
  const render = renderForPeople(io);
  const platform = { layer: 'platform', id: 'core-tools', file: 'policies/platform.yaml', line: 6 } as const;
  const grant = { layer: 'agent', id: 'grants.fs.read', file: 'tenants/default/agents/main/agent.yaml', line: 6 } as const;
  const call = { type: 'tool.decision', args: '{}', reason: 'No rule allows it.', remedy: 'Add a line.' } as const;

  render({ ...call, call: '1.1', tool: 'fs.read', verdict: 'allow', rule: platform, grant });
  render({ type: 'tool.result', call: '1.1', tool: 'fs.read', isError: false, summary: '# Notes … 3 lines', durationMs: 2 });
  render({ ...call, call: '1.2', tool: 'fs.write', verdict: 'deny', rule: platform });
  render({ type: 'tool.result', call: '1.2', tool: 'fs.write', isError: true, code: 'policy.denied', summary: 'No rule', durationMs: 0 });

  assert.deepEqual(io.said.err.split('\n'), [
    '1.1 fs.read {}  allow grants.fs.read (agent.yaml:6)',
    '    1.1 done in 2 ms: # Notes … 3 lines',
    '1.2 fs.write {}  deny core-tools (policies/platform.yaml:6)',
    '    No rule allows it.',
    '    Add a line.',
    '',
  ]);
});

test('a broken answer is called void only where a part of it was shown', () => {
  const io = memoryIo();
  const render = renderForPeople(io);

  render({ type: 'turn', turn: 1 });
  render({ type: 'text.discarded', reason: 'unreachable' });
  render({ type: 'text', delta: 'Half an ans' });
  render({ type: 'text.discarded', reason: 'cut' });

  assert.deepEqual(io.said, { out: 'Half an ans\n', err: 'the answer broke off and is asked for again; what stands above is void\n' });
});
