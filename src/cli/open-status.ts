import type { StatusContext } from '../ops/read-status.ts';
import type { App } from './app.ts';

/** What `status` and `top` look at: a tenant sees itself, the platform sees all. */
export async function openStatus(app: App): Promise<StatusContext> {
  const { runtimeDirOf } = await import('./sandboxes.ts');
  return {
    home: await app.home(),
    nowMs: Date.now(),
    runtimeDir: runtimeDirOf(app.env),
    ...(app.tenant === 'default' ? {} : { tenant: app.tenant }),
    get: async (url) => {
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000), redirect: 'error' });
      return { status: answer.status, text: await answer.text() };
    },
  };
}
