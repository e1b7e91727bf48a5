import { readServeState } from '../../state/serve-file.ts';
import { reasonOf } from '../../contracts/errors.ts';
import { fail, ok, skip, warn, type Check } from './check.ts';

export const server: Check = {
  name: 'server',
  run: async ({ home, get }) => {
    const { isAlive, facts } = readServeState(home.dir);
    if (!isAlive && facts !== undefined)
      return warn(
        `The server with pid ${facts.pid} is gone without having stopped.`,
        'Start it again with clawhold serve: what was under way is delivered again.',
      );
    if (!isAlive) return skip('No server runs on this home.');
    if (facts === undefined)
      return fail('A server holds this home, but has not said where it listens.', 'Look at its log; restart it if this stays so.');
    try {
      const { status, text } = await get(`${facts.url}/readyz`);
      if (status === 200) return ok(`The server with pid ${facts.pid} at ${facts.url} is ready.`);
      return fail(
        `The server at ${facts.url} is not ready: ${status} ${text.slice(0, 200)}`,
        'Its log says which dependency does not answer.',
      );
    } catch (error) {
      return fail(
        `The server with pid ${facts.pid} does not answer at ${facts.url}: ${reasonOf(error)}.`,
        'Look at its log; stop it with SIGTERM and start it again.',
      );
    }
  },
};
