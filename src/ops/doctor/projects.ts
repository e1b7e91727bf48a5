import { counted } from '../../contracts/counted.ts';
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
    const named = (which: 'missing' | 'linked'): string[] =>
      found.flatMap((one) => (one[which] ?? []).map((id) => `${id} of tenant ${one.tenant}`));
    const [missing, linked] = [named('missing'), named('linked')];
    if (missing.length > 0)
      return warn(
        `The repo of project ${firstOf(missing)} is not there.`,
        'Put the repository in its place, or take the project out of projects.yaml.',
      );
    if (linked.length > 0)
      return warn(
        `The repo of project ${firstOf(linked)} is reached through a link, and no run works there.`,
        'Write in projects.yaml where it really lies; of another tenant than default that is below its root.',
      );
    const count = found.reduce((sum, { count: ofTenant = 0 }) => sum + ofTenant, 0);
    return count === 0 ? skip('No projects are registered.') : ok(`The registry is valid: ${counted(count, 'project')}.`);
  },
};
