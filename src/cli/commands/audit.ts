import type { Command } from 'commander';
import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import { parseRunId } from '../../contracts/ids.ts';
import { ledgerEvents, type LedgerEventType } from '../../contracts/ledger.ts';
import type { LedgerFilter } from '../../governance/query-ledger.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import type { AuditContext } from './audit-context.ts';
import type { AuditVerifyOptions } from './audit-verify.ts';
import type { VerifyContext } from './audit-verify.ts';

interface FilterFlags {
  readonly run?: string;
  readonly agent?: string;
  readonly type?: string;
  readonly tool?: string;
  readonly since?: string;
  readonly until?: string;
}

export const command: CliCommand = {
  configure(verb, context) {
    const tail = verb
      .command('tail')
      .description('the last records')
      .option('-n, --count <n>', 'how many', '20')
      .option('-f, --follow', 'go on as records are written');
    addFilter(tail).action(async (flags: FilterFlags & { readonly count: string; readonly follow?: boolean }) => {
      const { auditTail, renderRecord } = await import('./audit-tail.ts');
      const options = {
        ...filterFrom(flags),
        count: wholeNumber('--count', flags.count),
        ...(flags.follow === true ? { follow: context.signal } : {}),
      };
      for await (const record of auditTail(await auditContext(context), options)) printRecord(context, record, renderRecord(record));
    });
    const query = verb.command('query').description('records that match, in time order').option('-n, --limit <n>', 'at most so many');
    addFilter(query).action(async (flags: FilterFlags & { readonly limit?: string }) => {
      const { auditQuery, renderRecord } = await import('./audit-query.ts');
      const options = { ...filterFrom(flags), ...(flags.limit === undefined ? {} : { limit: wholeNumber('--limit', flags.limit) }) };
      for await (const record of auditQuery(await auditContext(context), options)) printRecord(context, record, renderRecord(record));
    });
    addVerify(verb, context);
    addExport(verb, context);
  },
};

function addFilter<C extends { option(flags: string, description: string): C }>(verb: C): C {
  return verb
    .option('--run <id>', 'only this run')
    .option('-a, --agent <name>', 'only this agent')
    .option('--type <type>', 'only this kind of event, e.g. policy.denied')
    .option('--tool <name>', 'only this tool')
    .option('--since <time>', 'ISO 8601, inclusive')
    .option('--until <time>', 'ISO 8601, exclusive');
}

async function auditContext({ app }: CommandContext): Promise<AuditContext> {
  return { home: await app.home(), tenant: app.tenant, keyFile: path.join(app.userDir, 'keys', 'ledger.ed25519') };
}

/** An exported ledger is verified where there is no home. */
async function verifyContext(context: CommandContext, dir: string | undefined): Promise<VerifyContext> {
  const { tenant, userDir } = context.app;
  return dir === undefined ? await auditContext(context) : { tenant, keyFile: path.join(userDir, 'keys', 'ledger.ed25519') };
}

function printRecord(
  { io }: CommandContext,
  record: { readonly event: object; readonly stream: string; readonly seq: number },
  text: string,
): void {
  io.out(io.isJson ? `${JSON.stringify({ stream: record.stream, seq: record.seq, ...record.event })}\n` : `${text}\n`);
}

function filterFrom(flags: FilterFlags): LedgerFilter {
  const { run, agent, tool } = flags;
  return {
    ...(run === undefined ? {} : { run: parseRunId(run) }),
    ...(agent === undefined ? {} : { agent }),
    ...(tool === undefined ? {} : { tool }),
    ...(flags.type === undefined ? {} : { type: eventType(flags.type) }),
    ...(flags.since === undefined ? {} : { sinceMs: time('--since', flags.since) }),
    ...(flags.until === undefined ? {} : { untilMs: time('--until', flags.until) }),
  };
}

function eventType(text: string): LedgerEventType {
  if (Object.hasOwn(ledgerEvents, text)) return text as LedgerEventType;
  throw new FixRequestError(
    'cli.bad-event-type',
    `There is no event type ${JSON.stringify(text)}. Use one of: ${Object.keys(ledgerEvents).join(', ')}.`,
  );
}

function time(flag: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new FixRequestError(
      'cli.bad-time',
      `${flag} was given ${JSON.stringify(text)}, which is not a time. Write it as 2026-01-31 or 2026-01-31T12:00:00Z.`,
    );
  return ms;
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new FixRequestError(
      'cli.bad-number',
      `${flag} was given ${JSON.stringify(text)}, which is not a whole number above 0. Correct it.`,
    );
  return value;
}

function addVerify(verb: Command, context: CommandContext): void {
  verb
    .command('verify')
    .description('check every byte of the ledger; exit 6 when something is wrong')
    .option('--checkpoint <file>', 'also against this exported checkpoint')
    .option('--public-key <hex>', "the key that must have signed (default: this machine's)")
    .option('--dir <folder>', "an exported ledger instead of this home's")
    .option('--schema', 'parse every record by its schema')
    .option('--bundles', 'compare the files of every ended run too')
    .action(async (flags: Omit<AuditVerifyOptions, 'checkpointFile'> & { readonly checkpoint?: string }) => {
      const { auditVerify, renderVerify } = await import('./audit-verify.ts');
      const { checkpoint, ...others } = flags;
      const result = await auditVerify(await verifyContext(context, flags.dir), {
        ...others,
        ...(checkpoint === undefined ? {} : { checkpointFile: checkpoint }),
      });
      if (context.io.isJson) context.io.out(`${JSON.stringify(result.report)}\n`);
      else context.io.out(`${renderVerify(result)}\n`);
      context.exit(result.exitCode);
    });
}

function addExport(verb: Command, context: CommandContext): void {
  verb
    .command('export')
    .description('copy the ledger and its latest checkpoint, to be verified elsewhere')
    .requiredOption('-o, --out <folder>', 'a new folder')
    .action(async (flags: { readonly out: string }) => {
      const { auditExport, renderExport } = await import('./audit-export.ts');
      const result = await auditExport(await auditContext(context), { out: path.resolve(context.app.cwd, flags.out) });
      printResult(context.io, result, renderExport(result));
    });
}
