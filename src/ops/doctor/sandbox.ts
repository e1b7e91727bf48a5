import { fail, ok, warn, type Check } from './check.ts';

export const sandbox: Check = {
  name: 'sandbox',
  run: async (context) => {
    const probes = await context.probes();
    const working = probes.flatMap((probe) =>
      probe.works && probe.isolation !== 'none' ? [`${probe.driver} ${probe.version} (${probe.isolation})`] : [],
    );
    if (working.length > 0) return ok(`Commands can be isolated by ${working.join(' and ')}.`);
    const why = probes.flatMap((probe) => (probe.works ? [] : [`${probe.driver}: ${probe.reason}`])).join(' ');
    const needing = (await context.agents()).filter(({ needsSandbox }) => needsSandbox).map(({ agent }) => agent);
    const remedy = 'Install bubblewrap, or see clawhold sandbox probe for what each driver lacks.';
    if (needing.length === 0) return warn(`No sandbox works here, so no agent could run commands. ${why}`, remedy);
    return fail(`No sandbox works here, and ${needing.join(', ')} may run commands: they are refused. ${why}`, remedy);
  },
};
