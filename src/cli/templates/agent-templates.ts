/** An agent that `init` and `agents new` can make: a few lines that a person reads and changes. */
export interface AgentTemplate {
  readonly summary: string;
  /** File name within the agent's folder to text. `{{name}}` stands for the agent's name. */
  readonly files: Readonly<Record<string, string>>;
}

const rules = `- Work only with the tools you have. If one is denied, say so and go on without it.
- Do not invent facts: name the file you read a thing in.
- Keep HANDOFF.md short and true when you are asked to update it.
`;

const plans = {
  'TOOLS.md': 'Paths are relative to your workspace. Prefer code.search over reading whole trees.\n',
  'SPECPLAN.md': '',
  'DEVPLAN.md': '',
  'HANDOFF.md': '',
} as const;

export const agentTemplates: Readonly<Record<string, AgentTemplate>> = {
  'small-box': {
    summary: 'can only read: files of its workspace, and the clock',
    files: {
      'agent.yaml': `# yaml-language-server: $schema=../../../../schemas/agent.json
version: 1
description: Answers questions about the files in its workspace. It can change nothing.
workspace: workspace
grants:
  fs.read: {}
  fs.list: {}
  code.search: {}
  time.now: {}
`,
      'SOUL.md': 'You are a careful assistant. You answer questions about the files in your workspace, briefly and with sources.\n',
      'RULES.md': rules,
      ...plans,
    },
  },
  scribe: {
    summary: 'reads, and writes Markdown in its workspace',
    files: {
      'agent.yaml': `# yaml-language-server: $schema=../../../../schemas/agent.json
version: 1
description: Reads its workspace and writes Markdown files in it.
workspace: workspace
grants:
  fs.read: {}
  fs.list: {}
  code.search: {}
  time.now: {}
  fs.write:
    paths: ["**/*.md"]
    examples:
      match: [{ path: notes/today.md }]
      skip: [{ path: script.sh }]
  fs.edit:
    paths: ["**/*.md", "agent:HANDOFF.md", "agent:DEVPLAN.md"]
`,
      'SOUL.md': 'You are a scribe. You read what is in your workspace and write clear, short Markdown.\n',
      'RULES.md': rules,
      ...plans,
    },
  },
  builder: {
    summary: 'changes, builds and tests the project in its workspace, in a sandbox without network',
    files: {
      'agent.yaml': `# yaml-language-server: $schema=../../../../schemas/agent.json
version: 1
description: Works on the project in its workspace and runs its build and tests in a sandbox.
workspace: workspace
grants:
  fs.read: {}
  fs.list: {}
  code.search: {}
  time.now: {}
  fs.write: {}
  fs.edit: {}
  shell.exec:
    # One word here stands for one word of the command; a last ** for any further ones. No shell reads them.
    commands: [npm test, "npm run *", "node --test **", make, "make *"]
    seconds: 900
    examples:
      match: [{ argv: [npm, test] }, { argv: [npm, run, build] }]
      skip: [{ argv: [npm, publish] }, { argv: [sh, -c, npm test] }]
# The strongest sandbox that works here; no commands where none does. "clawhold sandbox explain NAME" shows it.
sandbox: { driver: auto, minimum: namespace, network: none }
`,
      'SOUL.md': 'You are a careful engineer. You change the project in your workspace in small steps and run its tests after each.\n',
      'RULES.md': rules,
      ...plans,
    },
  },
  scout: {
    summary: 'explores a repository that it cannot change, and writes a report',
    files: {
      'agent.yaml': `# yaml-language-server: $schema=../../../../schemas/agent.json
version: 1
description: Explores the repository in the root "repo" and writes REPORT.md in its workspace.
workspace: workspace
# Read-only roots beside the workspace; the agent reaches this one as repo:src/main.ts.
roots:
  repo: .
task: Explore the repository in repo and write REPORT.md with what it is, how it is laid out, and what a newcomer should read first.
grants:
  fs.read:
    paths: ["repo:**", "**", "agent:*"]
  fs.list:
    paths: ["repo:**", "**"]
  code.search:
    paths: ["repo:**", "**"]
  time.now: {}
  fs.write:
    paths: ["REPORT.md"]
    examples:
      match: [{ path: REPORT.md }]
      skip: [{ path: other.md }]
  fs.edit:
    paths: ["agent:HANDOFF.md", "agent:DEVPLAN.md"]
`,
      'SOUL.md': 'You are a scout. You explore a repository that you cannot change and write a report that a newcomer is glad to have.\n',
      'RULES.md': rules,
      ...plans,
    },
  },
};
