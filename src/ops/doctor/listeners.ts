import { readServeState } from '../../state/serve-file.ts';
import { fail, firstOf, ok, skip, warn, type Check } from './check.ts';
import { isPrivateAddress, listenersOf } from './listening-sockets.ts';

/** What the kernel says that the server's processes listen on, not what their configuration says. */
export const listeners: Check = {
  name: 'listeners',
  run: ({ home, procDir }) => {
    const { isAlive, facts } = readServeState(home.dir);
    if (!isAlive || facts === undefined) return skip('No server runs on this home.');
    const found = [facts.pid, ...(facts.executorPids ?? [])].map((pid) => listenersOf(procDir, pid));
    if (found.some((list) => list === undefined))
      return warn(
        `${procDir} does not show the sockets of the server.`,
        'Run clawhold doctor on Linux, as the user of the server or as root.',
      );
    const all = found.flatMap((list) => list ?? []);
    const open = all.filter(({ address }) => !isPrivateAddress(address)).map(({ address, port }) => `${address} port ${port}`);
    if (open.length > 0)
      return fail(
        `The server listens beyond this machine and the private network: ${firstOf(open)}.`,
        'Set serve.host to 127.0.0.1 and restart; reach it through the overlay or a tunnel.',
      );
    return ok(`The server listens on ${all.length} address${all.length === 1 ? '' : 'es'}, none beyond loopback and the private network.`);
  },
};
