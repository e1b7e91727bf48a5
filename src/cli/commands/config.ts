import path from 'node:path';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { count } from '../describe-totals.ts';
import type { FileSchemaName } from '../json-schemas.ts';
import type { InvalidFileError } from '../../state/yaml-file.ts';
import { localUser } from '../run-options.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('get [key]')
      .description('a value of clawhold.yaml, or all of it')
      .action(async (key: string | undefined) => await get(context, key));
    verb
      .command('set <key> <value>')
      .description('change a value; the file keeps its comments')
      .action(async (key: string, value: string) => await set(context, key, value));
    verb
      .command('validate')
      .description('check every configuration and policy file, and every agent')
      .action(async () => await validate(context));
    verb
      .command('schema [name]')
      .description('JSON Schema of clawhold, llm, agent, policy, tenant or projects files')
      .action(async (name: string | undefined) => await schema(context, name));
    verb
      .command('path')
      .description('where this home is')
      .action(async () => {
        const home = await context.app.home();
        printResult(context.io, { home: home.dir, config: path.join(home.dir, 'clawhold.yaml') }, home.dir);
      });
  },
};

/** `limits.turns` as a path; each part must be a plain name. */
function keyPath(key: string): string[] {
  const parts = key.split('.');
  if (parts.some((part) => !/^[A-Za-z][A-Za-z0-9-]*$/.test(part)))
    throw new FixRequestError(
      'cli.bad-key',
      `${JSON.stringify(key)} is not a key of clawhold.yaml. Write it with dots, for example limits.turns.`,
    );
  return parts;
}

async function get({ app, io }: CommandContext, key: string | undefined): Promise<void> {
  let value: unknown = await app.config();
  for (const part of key === undefined ? [] : keyPath(key))
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
  const { stringify } = await import('yaml');
  if (value === undefined && key !== undefined) await refuseUnknownKey(key);
  const text = value === undefined ? `${key} is not set, so its default holds; see docs/CONFIG.md.` : stringify(value).trimEnd();
  printResult(io, { key: key ?? null, value: value ?? null }, text);
}

/** A field that is not set has a default; one that does not exist is a mistake. */
async function refuseUnknownKey(key: string): Promise<void> {
  const { jsonSchemaOf } = await import('../json-schemas.ts');
  let fields: unknown = jsonSchemaOf('clawhold');
  for (const part of keyPath(key)) {
    const { properties } = (fields ?? {}) as { readonly properties?: Readonly<Record<string, unknown>> };
    if (properties === undefined || !Object.hasOwn(properties, part)) {
      const known = properties === undefined ? 'none there' : Object.keys(properties).join(', ');
      throw new FixRequestError('cli.bad-key', `${key} is not a field of clawhold.yaml. Known fields are: ${known}.`);
    }
    fields = properties[part];
  }
}

async function set(context: CommandContext, key: string, text: string): Promise<void> {
  const { app, io } = context;
  const [{ editYamlFile }, { InvalidFileError }, { clawholdConfig }, { parse }] = await Promise.all([
    import('../../state/edit-yaml-file.ts'),
    import('../../state/yaml-file.ts'),
    import('../../contracts/config.ts'),
    import('yaml'),
  ]);
  const file = path.join((await app.home()).dir, 'clawhold.yaml');
  const value = parsedValue(parse, text);
  const edited = await editYamlFile(file, clawholdConfig, (editor) => editor.set(keyPath(key), value)).catch(async (error: unknown) => {
    throw error instanceof InvalidFileError && (await isValid(file)) ? wouldBreak(error, key, value) : error;
  });
  const ledger = await app.ledger();
  await ledger.append({
    type: 'config.change',
    at: new Date().toISOString(),
    principal: localUser(context),
    file: 'clawhold.yaml',
    ...(edited.before === undefined ? {} : { before: edited.before }),
    after: edited.after,
  });
  printResult(io, { key, value }, `${key} is now ${JSON.stringify(value)} (${file}).`);
}

/** Whether the file as it stands is good, so that only the new value is to blame. */
async function isValid(file: string): Promise<boolean> {
  const [fs, { parseYaml }, { clawholdConfig }] = await Promise.all([
    import('node:fs'),
    import('../../state/yaml-file.ts'),
    import('../../contracts/config.ts'),
  ]);
  try {
    parseYaml(fs.readFileSync(file, 'utf8'), clawholdConfig, file);
    return true;
  } catch {
    // silent-ok: the caller then tells what is wrong with the file.
    return false;
  }
}

function wouldBreak({ violations }: InvalidFileError, key: string, value: unknown): FixRequestError {
  const why = violations.map(({ path: where, message }) => `${where} ${message}`).join('; ');
  return new FixRequestError(
    'cli.bad-value',
    `${key} cannot be ${JSON.stringify(value)}: ${why}. Nothing was changed; give another value.`,
  );
}

function parsedValue(parse: (text: string) => unknown, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    const problem = reasonOf(cause).split('\n', 1)[0]?.replace(/:$/, '') ?? '';
    throw new FixRequestError('cli.bad-value', `${JSON.stringify(text)} is not a YAML value: ${problem}. Write it as in the file.`, {
      cause,
    });
  }
}

/** Reads everything that a start would read; the first wrong file is reported with all of its violations. */
async function validate({ app, io }: CommandContext): Promise<void> {
  const [{ listAgents }, { inspectAgent }, { parseAgentId }] = await Promise.all([
    import('../../worker/load-agent.ts'),
    import('../inspect-agent.ts'),
    import('../../contracts/ids.ts'),
  ]);
  await app.config();
  await app.llm();
  await app.redactor();
  await (await import('../../control/projects.ts')).readProjects(await app.home(), app.tenant);
  const agents = await listAgents(await app.home(), app.tenant);
  const problems: string[] = [];
  for (const name of agents) {
    await inspectAgent(app, parseAgentId(name)).catch((error: unknown) =>
      problems.push(error instanceof Error ? error.message : String(error)),
    );
  }
  if (problems.length > 0) throw new FixRequestError('cli.invalid', problems.join('\n'));
  printResult(
    io,
    { agents, notices: app.notices },
    [...app.notices, `Configuration, policies and ${count(agents.length, 'agent')} are valid.`].join('\n'),
  );
}

async function schema({ io }: CommandContext, name: string | undefined): Promise<void> {
  const { fileSchemas, jsonSchemaOf } = await import('../json-schemas.ts');
  const names = Object.keys(fileSchemas);
  if (name === undefined) {
    printResult(io, { schemas: names }, names.join('\n'));
    return;
  }
  if (!names.includes(name))
    throw new FixRequestError('cli.unknown-schema', `There is no schema ${JSON.stringify(name)}. Use one of: ${names.join(', ')}.`);
  io.out(`${JSON.stringify(jsonSchemaOf(name as FileSchemaName), null, 2)}\n`);
}
