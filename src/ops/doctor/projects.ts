import { ok, skip, warn, fail, firstOf, type Check } from './check.ts';

export const projects: Check = {
  name: 'projects',
  run: async ({ projects: look }) => {
    const found = await look();
    const problems = found.flatMap(({ problem }) => problem ?? []);
    if (problems.length > 0)
      return fail(
        firstOf([...new Set(problems)]),
        'Correct projects.yaml; until then no run for a project starts. clawhold projects validate shows all lines.',
      );
    const missing = found.flatMap(({ tenant, missing: ids = [] }) => ids.map((id) => `${id} of tenant ${tenant}`));
    if (missing.length > 0)
      return warn(
        `The repo of project ${firstOf(missing)} is not there.`,
        'Put the repository in its place, or take the project out of projects.yaml.',
      );
    const count = found.reduce((sum, { count: ofTenant = 0 }) => sum + ofTenant, 0);
    return count === 0 ? skip('No projects are registered.') : ok(`The registry is valid: ${count} project${count === 1 ? '' : 's'}.`);
  },
};
