import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { commandTable } from '../src/cli/command-table.ts';

const root = path.join(import.meta.dirname, '..');

/** Options that every command takes. */
const everywhere: ReadonlySet<string> = new Set(['--json', '--tenant', '--help', '--version']);

/** Every verb with its subcommands and options, as the program builds them. */
async function commandsByVerb(): Promise<ReadonlyMap<string, Command>> {
  const verbs = new Map<string, Command>();
  for (const { name, load } of commandTable) {
    const verb = new Command('clawhold').enablePositionalOptions().command(name);
    (await load()).command.configure(verb, {} as never);
    verbs.set(name, verb);
  }
  return verbs;
}

/** What a text names as a command: in code spans and in code blocks, up to a pipe, a comment or the end. */
function namedIn(markdown: string): string[] {
  const spans = [...markdown.matchAll(/`(clawhold [^`\n]+)`/g)].map(([, text = '']) => text);
  const lines = [...markdown.matchAll(/^(?:\$ )?(?:\w+=\$\()?(clawhold [a-z][^\n]*)$/gm)].map(([, text = '']) => text);
  return [...spans, ...lines].map((text) => text.split(/ [|#>]|\)$| && /)[0]?.trim() ?? '');
}

/** What is wrong with a named command; undefined when there is such a one. */
function faultOf(verbs: ReadonlyMap<string, Command>, named: string): string | undefined {
  const [, verbName = '', ...words] = named.split(/\s+/);
  if (verbName.startsWith('-')) return undefined;
  const verb = verbs.get(verbName);
  if (verb === undefined) return `there is no verb ${verbName}`;
  const [subName = ''] = words;
  const names = subName.split('|');
  const subs = names.map((one) => verb.commands.find((sub) => sub.name() === one));
  const isPlain = /^[a-z|]+$/.test(subName);
  if (verb.commands.length > 0 && isPlain && subs.includes(undefined)) return `${verbName} has no ${subName}`;
  const command = subs[0] ?? verb;
  const known = new Set([...everywhere, ...command.options.flatMap(({ long, short }) => [long, short])]);
  const unknown = words.flatMap((word) => /^(--?[a-z][a-z-]*)/.exec(word)?.[1] ?? []).filter((option) => !known.has(option));
  return unknown.length === 0 ? undefined : `${command.name()} has no ${unknown.join(', ')}`;
}

test('every command that a document names exists, with its subcommand and options', async () => {
  const verbs = await commandsByVerb();
  const files = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    ...fs.globSync('docs/**/*.md', { cwd: root, exclude: ['docs/decisions/**'] }),
  ];
  const named = files.flatMap((file) => namedIn(fs.readFileSync(path.join(root, file), 'utf8')).map((command) => ({ file, command })));

  const faults = named.flatMap(({ file, command }) => {
    const fault = faultOf(verbs, command);
    return fault === undefined ? [] : [`${file}: "${command}": ${fault}`];
  });

  assert.ok(named.length > 100, `only ${named.length}`);
  assert.deepEqual(faults, []);
});

test('sabotage: a verb, a subcommand and an option that do not exist are found', async () => {
  const verbs = await commandsByVerb();

  assert.deepEqual(
    ['clawhold fly', 'clawhold queue empty', 'clawhold tokens create --rolle admin', 'clawhold tokens create|renew'].map((one) =>
      faultOf(verbs, one),
    ),
    ['there is no verb fly', 'queue has no empty', 'create has no --rolle', 'tokens has no create|renew'],
  );
  assert.equal(faultOf(verbs, 'clawhold tokens create --role admin --json'), undefined);
});

test('the page on a small box covers what a server needs, and says nothing that has changed since', () => {
  const page = fs.readFileSync(path.join(root, 'docs/security/small-box.md'), 'utf8');

  for (const word of [
    'clawhold serve',
    '127.0.0.1',
    'tokens create',
    'quotas.usdPerDay',
    'sandbox probe',
    'audit verify',
    'backup create',
    'backup restore',
    'doctor',
  ])
    assert.ok(page.includes(word), word);
  assert.doesNotMatch(page, /no listener|no HTTP|no scheduler/i);
});
