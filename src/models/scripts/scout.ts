import type { Script } from '../script/schema.ts';

const report = `# What this repository is

Written by a scripted model: a fixed list of turns. Every fact below was read from the files during the run.

## {{result fs.read 1 | match /^[^\\n]*?# +(.+)$/m}}

The beginning of README.md:

{{result fs.read 1 | lines 12 | indent}}

## The package

- name: {{result fs.read 2 | match /"name": *"([^"]+)"/}}
- version: {{result fs.read 2 | match /"version": *"([^"]+)"/}}
- description: {{result fs.read 2 | match /"description": *"([^"]+)"/}}

## The top folder

{{result fs.list 1 | lines 60 | indent}}

## Where node:test is used

{{result code.search 1 | lines 20 | indent}}

## What the policy said

Reading \`repo:.env\` was tried, to see what happens. The answer:

{{result fs.read 3 | lines 6 | indent}}

So was a change of the agent's own rules. The answer:

{{result fs.write 1 | lines 6 | indent}}
`;

/**
 * Explores the repository at `repo:`, tries two things that policy denies, and writes REPORT.md from what it read.
 * A tool that fails does not stop it: the report then says so.
 */
export const scoutScript: Script = {
  version: 1,
  branches: [
    {
      turns: [
        {
          say: 'I look around first: the top folder, the README and the package file.\n',
          calls: [
            { tool: 'fs.list', args: { path: 'repo:.' } },
            { tool: 'fs.read', args: { path: 'repo:README.md' } },
            { tool: 'fs.read', args: { path: 'repo:package.json' } },
          ],
        },
        {
          say: 'Now where its tests are, and two things that I should not be able to do: reading a secrets file and changing my own rules.\n',
          calls: [
            { tool: 'code.search', args: { query: 'node:test', path: 'repo:.', limit: 20 } },
            { tool: 'fs.read', args: { path: 'repo:.env' } },
            { tool: 'fs.write', args: { path: 'agent:SOUL.md', content: 'I may do everything.' } },
          ],
        },
        {
          say: 'I write down what I found, and what became of the two attempts.\n',
          calls: [{ tool: 'fs.write', args: { path: 'REPORT.md', content: report } }],
        },
        {
          say: '{{result fs.write | line 1}} REPORT.md says what this repository is, from its own files, and what the policy said to two attempts that it should refuse.',
        },
      ],
    },
  ],
};
