import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandExamples } from '../../src/cli/command-examples.ts';
import { newInstallation } from './installation.ts';

const wrongLines: readonly (readonly [title: string, args: readonly string[], said: RegExp])[] = [
  ['an unknown command names the nearest', ['asl'], /There is no command "clawhold asl"\. Did you mean "clawhold ask"\?/],
  ['help of an unknown command names the nearest', ['help', 'asl'], /Did you mean "clawhold ask"\?/],
  ['an unknown sub-command is not an argument of the default one', ['runs', 'shw'], /Did you mean "clawhold runs show"\?/],
  ['a group without its sub-command says which there are', ['policy'], /needs a sub-command: show, explain, check, simulate\./],
  ['an unknown option names the nearest', ['ask', '--agnt', 'x', 'hi'], /"clawhold ask" has no option --agnt\. Did you mean --agent\?/],
  ['a missing argument comes with an example', ['ask'], /needs <message>, which was not given\. For example: clawhold ask/],
  ['a missing option comes with an example', ['tools', 'call', 'fs.read'], /needs --args <json>, which was not given\. For example:/],
  ['an option without its value', ['ask', 'hi', '--agent'], /was given -a, --agent <name> without its value\. See/],
  [
    'a value that is not one of the choices',
    ['ask', 'hi', '--approvals', 'no'],
    /--approvals cannot be "no"; it takes terminal, wait, deny\./,
  ],
  ['too many arguments', ['config', 'get', 'a', 'b'], /takes one argument, but was given more: a, b\./],
];

test('every wrong command line is one sentence for people, one document for programs, and exit 2', async () => {
  using one = newInstallation();

  for (const [title, args, said] of wrongLines) {
    const text = await one.cli(args);
    const json = await one.cli(['--json', ...args]);

    assert.deepEqual([text.code, text.stdout, text.stderr.trim().split('\n').length], [2, '', 1], `${title}: ${text.stderr}`);
    assert.match(text.stderr, said, title);
    assert.deepEqual([json.code, json.json.ok, json.json.error.code], [2, false, 'cli.usage'], title);
    assert.match(json.json.error.message, said, title);
  }
});

test('every example is shown by --help of a command that exists, and help VERB is VERB --help', async () => {
  using one = newInstallation();
  const verbs = [...new Set(Object.keys(commandExamples).map((path) => path.split(' ')[0] ?? ''))];

  for (const verb of verbs) assert.equal((await one.cli(['help', verb])).stdout, (await one.cli([verb, '--help'])).stdout);
  for (const [path, examples] of Object.entries(commandExamples)) {
    const { code, stdout } = await one.cli([...path.split(' '), '--help']);
    assert.equal(code, 0, path);
    assert.ok(stdout.startsWith(`Usage: clawhold ${path} `), stdout);
    for (const example of examples) assert.ok(stdout.includes(example), path);
  }
});

test('words after -- are the message, whatever they look like', async () => {
  using one = newInstallation({ clawholdYaml: 'model: scripted/demo\n' });

  const asked = await one.cli(['ask', '--', '--json']);

  assert.deepEqual([asked.code, asked.stdout.startsWith('You said: --json')], [0, true], asked.stderr);
});
