import type { Refused, Roots } from './guard.ts';
import { realOrFuture } from './guard/open-root.ts';
import type { RootName } from './path.ts';

/**
 * The names of an agent's roots with nothing behind them: paths are read as ever, and every operation is refused. For
 * decisions about calls of which none is made, wherever the folders are by now.
 */
export function closedRoots(names: readonly RootName[]): Roots {
  return {
    assurance: 'race-free',
    names: names.map((name) => ({ ...name, dir: realOrFuture(name.dir) })),
    read: refuse,
    stat: refuse,
    hash: refuse,
    list: refuse,
    write: refuseLater,
    remove: refuseLater,
    within: refuseLater,
    [Symbol.asyncDispose]: async () => {},
  };
}

function refuse(): Refused {
  return { refused: 'fs.denied', text: 'The roots are closed: nothing can be reached in them.' };
}

async function refuseLater(): Promise<Refused> {
  return refuse();
}
