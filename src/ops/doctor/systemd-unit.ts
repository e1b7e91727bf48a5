import fs from 'node:fs';
import { fail, ok, skip, warn, type Check } from './check.ts';

/** What the shipped unit says and an edited one may have lost. */
const wanted: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['NoNewPrivileges', ['yes', 'true', '1']],
  ['ProtectSystem', ['strict']],
  ['ProtectHome', ['yes', 'true', '1', 'read-only', 'tmpfs']],
  ['PrivateTmp', ['yes', 'true', '1']],
  ['ProtectKernelModules', ['yes', 'true', '1']],
];

export const systemdUnit: Check = {
  name: 'systemd-unit',
  run: ({ unitFile }) => {
    if (!fs.existsSync(unitFile)) return skip('No systemd unit is installed.');
    const settings = new Map(
      fs
        .readFileSync(unitFile, 'utf8')
        .split('\n')
        .flatMap((line) => {
          const [name = '', value] = line.trim().split('=', 2);
          return value === undefined || name.startsWith('#') ? [] : [[name, value] as const];
        }),
    );
    const missing = wanted.filter(([name, values]) => !values.includes(settings.get(name) ?? '')).map(([name]) => name);
    const user = settings.get('User') ?? 'root';
    if (missing.length > 0)
      return fail(`${unitFile} lacks hardening: ${missing.join(', ')}.`, 'Take it from deploy/systemd/clawhold.service again.');
    if (user === 'root') return warn(`${unitFile} runs the server as root.`, 'Set User= to a user of its own.');
    return ok(`${unitFile} is hardened and runs as ${user}.`);
  },
};
