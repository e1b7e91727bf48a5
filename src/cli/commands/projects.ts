import { counted } from '../../contracts/counted.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import type { TenantId } from '../../contracts/ids.ts';
import type { Project } from '../../contracts/project.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('list')
      .description("the tenant's projects with their lanes and rates")
      .action(async () => await list(context));
    verb
      .command('show <id>')
      .description('one project: its repo, lanes, rates and tags')
      .action(async (id: string) => await show(context, id));
    verb
      .command('validate')
      .description('check projects.yaml of the platform with that of every tenant')
      .action(async () => await validate(context));
  },
};

async function read({ app }: CommandContext): Promise<readonly Project[]> {
  const { readProjects } = await import('../../control/projects.ts');
  return await readProjects(await app.home(), app.tenant);
}

async function list(context: CommandContext): Promise<void> {
  const projects = await read(context);
  const cells = projects.map(({ id, repo, lanes, tags, title }) => [
    id,
    repo,
    lanes.map(({ lane }) => lane).join(', '),
    tags.join(', '),
    title,
  ]);
  const text =
    projects.length === 0
      ? `Tenant ${context.app.tenant} has no projects. They are listed in projects.yaml of the home.`
      : table([['ID', 'REPO', 'LANES', 'TAGS', 'TITLE'], ...cells]);
  printResult(context.io, { projects }, text);
}

async function show(context: CommandContext, id: string): Promise<void> {
  const projects = await read(context);
  const project = projects.find((one) => one.id === id);
  if (project === undefined) {
    const known = projects.length === 0 ? 'It has none.' : `Use one of these: ${projects.map((one) => one.id).join(', ')}.`;
    throw new FixRequestError('cli.unknown-project', `Tenant ${context.app.tenant} has no project ${JSON.stringify(id)}. ${known}`);
  }
  const lanes = project.lanes.map(({ lane, rateLimits: { runsPerMinute, runsPerHour } }) => {
    const rates = [
      ...(runsPerMinute === undefined ? [] : [`${counted(runsPerMinute, 'run')} a minute`]),
      ...(runsPerHour === undefined ? [] : [`${counted(runsPerHour, 'run')} an hour`]),
    ];
    return `lane    ${lane}: ${rates.length === 0 ? 'as many runs as the quotas allow' : `at most ${rates.join(' and ')}`}`;
  });
  const lines = [
    `${project.id}${project.title === '' ? '' : `: ${project.title}`}`,
    `repo    ${project.dir}`,
    ...lanes,
    `tags    ${project.tags.join(', ') || 'none'}`,
  ];
  printResult(context.io, { project }, lines.join('\n'));
}

async function validate({ app, io }: CommandContext): Promise<void> {
  const [{ readProjects }, { openTenants }] = await Promise.all([import('../../control/projects.ts'), import('../../state/tenants.ts')]);
  const home = await app.home();
  const tenants = openTenants(home).list();
  const problems: string[] = [];
  const counts: { readonly tenant: TenantId; readonly projects: number }[] = [];
  for (const tenant of tenants) {
    try {
      counts.push({ tenant, projects: (await readProjects(home, tenant)).length });
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  // A mistake in the platform's file is every tenant's.
  if (problems.length > 0) throw new FixRequestError('cli.invalid', [...new Set(problems)].join('\n'));
  const text = counts.map(({ tenant, projects }) => `${tenant}: ${counted(projects, 'project')}`).join('\n');
  printResult(io, { tenants: counts }, `The registry is valid.\n${text}`);
}
