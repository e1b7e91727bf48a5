/** One folder of `src/`: why it exists, and which other rooms it may import. */
export interface Room {
  readonly purpose: string;
  /** `'room'` allows every top-level file of that room, `'room/file.ts'` only that file. */
  readonly mayImport: readonly string[];
  /** Modules that only the named rooms may load: a Node built-in or a product SDK. */
  readonly mayLoad?: readonly string[];
}

/**
 * The direction of imports, as data. `test/architecture.test.ts` fails on any import against it,
 * and ARCHITECTURE.md's table is generated from it.
 */
export const rooms: Readonly<Record<string, Room>> = {
  contracts: {
    purpose: 'The words every room shares: ids, schemas, errors, interfaces. Pure, no I/O.',
    mayImport: [],
  },
  state: {
    purpose:
      'Everything that survives a restart: home and config files, database, objects, queue, append-only logs. The only room with SQL.',
    mayImport: ['contracts'],
    mayLoad: ['node:sqlite'],
  },
  governance: {
    purpose: 'What is allowed, what must be hidden, what a human must approve, and the ledger of it all.',
    mayImport: ['contracts', 'state'],
  },
  sandbox: {
    purpose: 'Runs one command in isolation.',
    mayImport: ['contracts'],
    mayLoad: ['node:child_process'],
  },
  broker: {
    purpose: 'The only way out: secrets, egress, tool credentials. Nothing else holds a key.',
    mayImport: ['contracts', 'state', 'governance'],
    mayLoad: ['node:child_process', 'node:dns', 'node:tls', 'htmlparser2'],
  },
  models: {
    purpose: 'Every model call: route, call, account.',
    mayImport: ['contracts', 'state', 'governance'],
    mayLoad: ['eventsource-parser'],
  },
  tools: {
    purpose: 'What an agent can do: registry, file guard, the core tools, MCP.',
    mayImport: ['contracts', 'governance', 'sandbox', 'broker/client.ts'],
    mayLoad: ['node:child_process', '@vscode/ripgrep', 'diff'],
  },
  agent: {
    purpose: 'One agent run, from prompt to last message; journal, sessions and clock are context interfaces from contracts.',
    mayImport: ['contracts', 'governance', 'tools', 'models/client.ts'],
  },
  worker: {
    purpose: 'Takes one item and finishes it, whatever crashes, through a table kind → runner that the wiring fills.',
    mayImport: ['contracts', 'state', 'governance', 'agent'],
  },
  control: {
    purpose: 'Decides what runs, when and where; its only effect is a queue item.',
    mayImport: ['contracts', 'state', 'governance'],
    mayLoad: ['croner'],
  },
  gateway: {
    purpose: 'The doors: HTTP, sign-in, tenants.',
    mayImport: ['contracts', 'state', 'governance', 'control', 'models/client.ts'],
    mayLoad: ['fastify', 'prom-client'],
  },
  ops: {
    purpose: 'Keeps an installation healthy and shows that it is: logs, metrics, traces, doctor, backup.',
    mayImport: ['contracts', 'state', 'governance', 'sandbox', 'broker', 'models'],
    mayLoad: ['pino', 'prom-client', '@opentelemetry/sdk-trace', '@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/resources'],
  },
  cli: {
    purpose: 'The front door: one file a command, and the only place where rooms are wired.',
    mayImport: ['*'],
    mayLoad: ['node:child_process'],
  },
};

/** Built-ins and packages that need a `mayLoad` entry: everywhere else they are refused. */
export const guardedModules: readonly string[] = [
  'node:sqlite',
  'node:child_process',
  'node:dns',
  'node:tls',
  'htmlparser2',
  'eventsource-parser',
  '@vscode/ripgrep',
  'diff',
  'croner',
  'fastify',
  'pino',
  'prom-client',
  '@opentelemetry/sdk-trace',
  '@opentelemetry/exporter-trace-otlp-http',
  '@opentelemetry/resources',
];
