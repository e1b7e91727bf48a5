import type { Principal } from '../../contracts/principal.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import type { Route } from '../route.ts';

/** Requests that are being answered: from their headers to the last byte of the answer, so uploads, downloads and streams count. */
export interface InFlight {
  /** Until it is disposed. @throws RequestRefusedError (429) when the tenant or the principal has as many as it may. */
  enter(principal: Pick<Principal, 'tenant' | 'id'>, route: Route): Disposable;
}

/**
 * No principal can hold so many connections that none is left for the others of its tenant, no tenant can hold so many that none is
 * left for another tenant, and a route that reads much is worked on a few
 * times at once.
 */
export function openInFlight(maxConnections: number): InFlight {
  const counts = new Map<string, number>();
  const leave = (key: string): void => {
    const left = (counts.get(key) ?? 1) - 1;
    if (left === 0) counts.delete(key);
    else counts.set(key, left);
  };
  return {
    enter: ({ tenant, id }, { path, atOnce }) => {
      const bounds = [
        { key: tenant as string, most: Math.ceil(maxConnections / 2) },
        { key: `${tenant} by ${id}`, most: Math.ceil(maxConnections / 4) },
      ];
      if (atOnce !== undefined) bounds.push({ key: `${tenant} ${path}`, most: atOnce });
      const full = bounds.find(({ key, most }) => (counts.get(key) ?? 0) >= most);
      if (full !== undefined) throw tooManyAtOnce(full.key === `${tenant} by ${id}` ? `Token ${id}` : `Tenant ${tenant}`, full.most);
      for (const { key } of bounds) counts.set(key, (counts.get(key) ?? 0) + 1);
      return { [Symbol.dispose]: () => bounds.forEach(({ key }) => leave(key)) };
    },
  };
}

function tooManyAtOnce(who: string, most: number): RequestRefusedError {
  const code = 'gateway.too-many-at-once';
  const message = `${who} has ${most} of these requests open, and more would leave too little for others. Wait for one of them, or close it.`;
  return new RequestRefusedError(429, code, message, { remedy: 'retry', retryAfterSeconds: 1 });
}
