import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixRequestError } from '../contracts/errors.ts';
import type { Message, ModelAnswer } from '../contracts/model.ts';
import { createScriptedProvider, endOfScript, parseScript, type Script } from './scripted.ts';
import { builtinScripts } from './scripts/builtin.ts';

function next(
  script: Script,
  messages: readonly Message[],
  signal: AbortSignal = new AbortController().signal,
  onText?: (delta: string) => void,
): Promise<ModelAnswer> {
  const request = { model: 'scripted/x', system: '', messages, tools: [], maxOutputTokens: 100 };
  return createScriptedProvider('scripted', script).generate(request, { signal, ...(onText === undefined ? {} : { onText }) });
}

/** Plays to the end; each tool answers with what `tool` gives. Every turn asks a new provider, as another process would. */
async function playOut(script: Script, user: string, tool: (name: string, args: string) => string): Promise<readonly Message[]> {
  const messages: Message[] = [{ role: 'user', text: user }];
  for (let turn = 0; turn < 20; turn += 1) {
    const answer = await next(script, messages);
    messages.push({ role: 'assistant', text: answer.text, toolCalls: answer.toolCalls });
    for (const call of answer.toolCalls)
      messages.push({ role: 'tool', callId: call.id, name: call.name, text: tool(call.name, call.argumentsText), isError: false });
    if (answer.stop === 'end') return messages;
  }
  return assert.fail('The script did not end.');
}

test('a greeting is answered with what this is', async () => {
  const answer = await next(builtinScripts['hello']!, [{ role: 'user', text: 'hello' }]);

  assert.match(answer.text, /^Hello! I am a scripted model/);
  assert.match(answer.text, /OPENAI_API_KEY/);
  assert.equal(answer.stop, 'end');
});

test('anything else is answered with what was said and what this is', async () => {
  const answer = await next(builtinScripts['demo']!, [{ role: 'user', text: 'What is 2 + 2?' }]);

  assert.match(answer.text, /^You said: What is 2 \+ 2\?/);
  assert.match(answer.text, /scripted model/);
});

test('the scout writes a report from what the tools really said', async () => {
  const asked: string[] = [];

  const messages = await playOut(builtinScripts['scout']!, 'Explore and write REPORT.md', (name, args) => {
    asked.push(`${name} ${args.slice(0, 40)}`);
    if (args.includes('.env') || args.includes('SOUL.md')) return 'Denied by the invariant secrets.';
    if (args.includes('README')) return '<untrusted source="file:repo:README.md">\n# Clawhold\n\nRuns agents safely.\n</untrusted>';
    if (args.includes('package.json')) return '{"name": "clawhold", "version": "0.1.0"}';
    return 'src/\ntest/';
  });

  const report = messages
    .flatMap((message) => (message.role === 'assistant' ? message.toolCalls : []))
    .findLast((call) => call.name === 'fs.write');
  const { path, content } = JSON.parse(report?.argumentsText ?? '{}') as { path: string; content: string };
  assert.equal(path, 'REPORT.md');
  for (const part of [
    '## Clawhold',
    'Runs agents safely.',
    '- name: clawhold',
    '- version: 0.1.0',
    '- description: (no match)',
    '    src/',
    'Denied by the invariant',
  ])
    assert.ok(content.includes(part), part);
  assert.ok(!/\{\{|untrusted/.test(content), content);
  assert.ok(asked.some((each) => each.includes('repo:.env')));
});

test('the demo explores when the message names a report, and else talks', async () => {
  const answer = await next(builtinScripts['demo']!, [{ role: 'user', text: 'Explore this and write REPORT.md.' }]);

  assert.equal(answer.stop, 'tool');
});

test('the same messages give the same answer, ids included', async () => {
  const messages = await playOut(builtinScripts['scout']!, 'x', () => 'y');

  assert.deepEqual(await next(builtinScripts['scout']!, messages.slice(0, 4)), await next(builtinScripts['scout']!, messages.slice(0, 4)));
});

const branching = parseScript(
  {
    version: 1,
    branches: [
      {
        when: '^count',
        turns: [
          { say: 'First.', calls: [{ tool: 'fs.list', args: { path: '{{user | match /count (\\S+)/}}' } }] },
          { if: 'error', say: 'It failed.' },
          { if: '^2 files', say: 'Two.', calls: [{ tool: 'time.now' }] },
          { say: 'Last: {{result fs.list | line 1}} {{result fs.list 2}} {{result time.now | chars 4}}.' },
        ],
      },
      { turns: [{ say: 'default' }] },
    ],
  },
  'x.yaml',
);

test('turns are skipped by what the tools said, and a resumed history skips the same ones', async () => {
  const messages = await playOut(branching, 'count docs', (name) => (name === 'fs.list' ? '2 files\na\nb' : '2026-01-01'));

  const said = messages.flatMap((message) => (message.role === 'assistant' ? [message.text] : []));
  assert.deepEqual(said, ['First.', 'Two.', 'Last: 2 files (no result) 2026.']);
  assert.equal(messages[1]?.role === 'assistant' && messages[1].toolCalls[0]?.argumentsText, '{"path":"docs"}');
});

test('what a tool says is never read as a template', async () => {
  const script = parseScript({ version: 1, branches: [{ turns: [{ calls: [{ tool: 'fs.read' }] }, { say: '{{result fs.read}}' }] }] }, 'x');

  const messages = await playOut(script, 'secret words', () => 'evil {{user}}');

  assert.equal(messages.at(-1)?.text, 'evil {{user}}');
});

test('only messages after the user’s last one count', async () => {
  const answer = await next(branching, [
    { role: 'user', text: 'count a' },
    { role: 'assistant', text: 'First.', toolCalls: [] },
    { role: 'user', text: 'count b' },
  ]);

  assert.equal(answer.text, 'First.');
});

test('a script at its end says so', async () => {
  const script = parseScript({ version: 1, branches: [{ turns: [{ say: 'x' }] }] }, 'x');

  const answer = await next(script, [
    { role: 'user', text: 'a' },
    { role: 'assistant', text: 'x', toolCalls: [] },
  ]);

  assert.equal(answer.text, endOfScript);
});

test('text is streamed in words that join to the answer', async () => {
  const parts: string[] = [];

  const answer = await next(builtinScripts['hello']!, [{ role: 'user', text: 'hi' }], undefined, (part) => parts.push(part));

  assert.ok(parts.length > 10);
  assert.equal(parts.join(''), answer.text);
});

test('simulated usage, failures and silence are played', async () => {
  const play = (turn: object): Script => parseScript({ version: 1, branches: [{ turns: [turn] }] }, 'x');
  const messages: readonly Message[] = [{ role: 'user', text: 'x' }];
  const controller = new AbortController();
  setImmediate(() => controller.abort());

  assert.deepEqual((await next(play({ say: 'x', usage: { inputTokens: 5, outputTokens: 6 } }), messages)).usage, {
    inputTokens: 5,
    outputTokens: 6,
  });
  await assert.rejects(next(play({ fail: { status: 429 } }), messages), { code: 'models.rate-limited', errorClass: 'transient_quota' });
  await assert.rejects(next(play({ say: 'half', fail: 'cut' }), messages), { code: 'models.stream-cut' });
  await assert.rejects(next(play({ fail: 'hang' }), messages, controller.signal), { name: 'AbortError' });
});

for (const [name, value] of [
  ['an unknown field', { version: 1, branches: [{ turns: [{ say: 'x', shell: 'rm' }] }] }],
  ['a broken expression', { version: 1, branches: [{ when: '(', turns: [{ say: 'x' }] }] }],
  ['no turns', { version: 1, branches: [{ turns: [] }] }],
  ['another version', { version: 2, branches: [{ turns: [{ say: 'x' }] }] }],
  ['nothing', null],
] as const) {
  test(`a script with ${name} is refused with its place`, () => {
    assert.throws(
      () => parseScript(value, 'my.yaml'),
      (thrown) => thrown instanceof FixRequestError && thrown.code === 'models.bad-script' && thrown.message.includes('my.yaml'),
    );
  });
}

test('every built-in script is a valid one', () => {
  for (const [name, script] of Object.entries(builtinScripts)) assert.deepEqual(parseScript(script, name), script);
});
