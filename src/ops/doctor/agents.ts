import { fail, firstOf, ok, warn, type Check } from './check.ts';

export const agents: Check = {
  name: 'agents',
  run: async (context) => {
    const found = await context.agents();
    if (found.length === 0) return warn('There is no agent.', 'Make one with clawhold agents new NAME.');
    const problems = found.flatMap(({ tenant, agent, problem }) => (problem === undefined ? [] : [`${tenant}/${agent}: ${problem}`]));
    if (problems.length > 0) return fail(firstOf(problems), 'Correct its files; clawhold agents validate checks again.');
    return ok(`${found.length} agent${found.length === 1 ? ' is' : 's are'} valid.`);
  },
};
