import { fail, ok, type Check } from './check.ts';

const oldest = 24;

export const nodeVersion: Check = {
  name: 'node-version',
  run: ({ nodeVersion: version }) => {
    const major = Number.parseInt(version, 10);
    if (major >= oldest) return ok(`Node ${version} runs this program.`);
    return fail(`Node ${version} is older than ${oldest}, which this program is written for.`, `Install Node ${oldest} or newer.`);
  },
};
