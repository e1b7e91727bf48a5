import { ok, warn, type Check } from './check.ts';

/** Nothing is sent: a key that is there may still be wrong. */
export const model: Check = {
  name: 'model',
  run: async (context) => {
    const problem = await context.modelProblem();
    return problem === undefined
      ? ok('The configured model can be opened; nothing was sent to it.')
      : warn(problem, 'Set the key, or choose a model with clawhold config set model PROVIDER/NAME.');
  },
};
