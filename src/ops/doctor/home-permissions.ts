import fs from 'node:fs';
import path from 'node:path';
import { fail, firstOf, ok, warn, type Check } from './check.ts';

/** Who can write here decides what agents may do; who can read here reads what they did. */
export const homePermissions: Check = {
  name: 'home-permissions',
  run: ({ home, uid }) => {
    const foreign: string[] = [];
    const writable: string[] = [];
    for (const place of placesOf(home.dir)) {
      const stat = fs.lstatSync(place, { throwIfNoEntry: false });
      if (stat === undefined || stat.isSymbolicLink()) continue;
      if (uid !== undefined && stat.uid !== uid) foreign.push(place);
      if ((stat.mode & 0o022) !== 0) writable.push(`${place} has mode ${(stat.mode & 0o777).toString(8)}`);
    }
    if (writable.length > 0) return fail(`Others may write in the home: ${firstOf(writable)}.`, `Run chmod -R go-w ${home.dir}.`);
    if (foreign.length > 0)
      return fail(
        `Parts of the home belong to another user: ${firstOf(foreign)}.`,
        `Run chown -R on ${home.dir}, as the user that runs Clawhold.`,
      );
    const readable = [home.dir, home.databaseFile].filter(
      (place) => ((fs.statSync(place, { throwIfNoEntry: false })?.mode ?? 0) & 0o044) !== 0,
    );
    if (readable.length > 1) return warn(`Others may read ${firstOf(readable)}.`, `Run chmod 700 ${home.dir}.`);
    return ok(`${home.dir} is this user's, and nobody else may write in it.`);
  },
};

/** The home, what lies in it, and the configuration of every tenant and agent: not every run. */
function placesOf(dir: string): string[] {
  const places = [dir, ...below(dir)];
  for (const tenant of below(path.join(dir, 'tenants'))) {
    places.push(tenant, ...below(tenant));
    for (const agent of below(path.join(tenant, 'agents'))) places.push(agent, ...below(agent));
  }
  return [...places, ...below(path.join(dir, 'policies'))];
}

function below(dir: string): string[] {
  if (fs.lstatSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return fs.readdirSync(dir).map((name) => path.join(dir, name));
}
