import type { CliCommand } from './command.ts';

export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: CliCommand }>;
}

/** Every verb, with its line in `--help`. The file behind it is read only when the verb is used. */
export const commandTable: readonly CommandEntry[] = [
  { name: 'init', summary: 'make a home (.clawhold) and a first agent here', load: async () => await import('./commands/init.ts') },
  { name: 'ask', summary: 'send one message to an agent', load: async () => await import('./commands/ask.ts') },
  { name: 'run', summary: "start an agent's standing task", load: async () => await import('./commands/run.ts') },
  {
    name: 'runs',
    summary: 'list, show, follow, stop, resume, replay, undo and prune runs',
    load: async () => await import('./commands/runs.ts'),
  },
  { name: 'agents', summary: 'list, show, make and validate agents', load: async () => await import('./commands/agents.ts') },
  { name: 'approvals', summary: 'answer the questions of waiting runs', load: async () => await import('./commands/approvals.ts') },
  {
    name: 'tools',
    summary: "list and show tools, or call one with an agent's rights",
    load: async () => await import('./commands/tools.ts'),
  },
  { name: 'policy', summary: 'show, explain, check and simulate what is allowed', load: async () => await import('./commands/policy.ts') },
  { name: 'audit', summary: 'follow, query, verify and export the ledger', load: async () => await import('./commands/audit.ts') },
  {
    name: 'mcp',
    summary: 'list, probe and pin the MCP servers of an agent',
    load: async () => await import('./commands/mcp.ts'),
  },
  {
    name: 'secrets',
    summary: 'keep secrets that agents use and never see',
    load: async () => await import('./commands/secrets.ts'),
  },
  {
    name: 'broker',
    summary: 'see which credentials runs asked for, and take them back',
    load: async () => await import('./commands/broker.ts'),
  },
  {
    name: 'workflows',
    summary: 'let agents work one after the other: list, run and follow workflows',
    load: async () => await import('./commands/workflows.ts'),
  },
  {
    name: 'projects',
    summary: 'list, show and validate the registered projects and their lanes',
    load: async () => await import('./commands/projects.ts'),
  },
  {
    name: 'cron',
    summary: 'start agents at fixed times: add, list, pause, run and remove jobs',
    load: async () => await import('./commands/cron.ts'),
  },
  {
    name: 'queue',
    summary: 'show waiting work; pause, drain, and look after dead tasks',
    load: async () => await import('./commands/queue.ts'),
  },
  {
    name: 'tokens',
    summary: 'let programs in: make, list, rotate and revoke API tokens',
    load: async () => await import('./commands/tokens.ts'),
  },
  { name: 'tenants', summary: 'make, show, change, suspend and delete tenants', load: async () => await import('./commands/tenants.ts') },
  {
    name: 'sandbox',
    summary: 'list, probe and explain sandboxes, or run one command in one',
    load: async () => await import('./commands/sandbox.ts'),
  },
  {
    name: 'backup',
    summary: 'back up a home that is in use, check and restore backups',
    load: async () => await import('./commands/backup.ts'),
  },
  { name: 'status', summary: 'what the server, the queue and every tenant do now', load: async () => await import('./commands/status.ts') },
  { name: 'top', summary: 'the same, live', load: async () => await import('./commands/top.ts') },
  {
    name: 'doctor',
    summary: 'look for what is wrong with this installation; changes nothing',
    load: async () => await import('./commands/doctor.ts'),
  },
  { name: 'config', summary: 'get, set and validate configuration', load: async () => await import('./commands/config.ts') },
  {
    name: 'serve',
    summary: 'accept work over HTTP and from schedules, and run it',
    load: async () => await import('./commands/serve.ts'),
  },
  { name: 'demo', summary: 'watch an agent work on a folder, in a throw-away home', load: async () => await import('./commands/demo.ts') },
];
