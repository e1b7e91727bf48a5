import * as z from 'zod/mini';
import type { RunRow } from '../../state/runs.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { unknownThing } from '../request-refused-error.ts';
import { defineRoute, json, readers, type Route } from '../route.ts';
import { listBundle, openBundleFile } from './bundle-files.ts';
import { findRun } from './find-run.ts';
import { runId } from './shapes.ts';

export const artifact = z.object({ name: z.string(), bytes: z.int(), href: z.string() });

export const listArtifacts: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/runs/{run}/artifacts',
  summary: 'The files that a run left.',
  scope: 'tenant',
  roles: readers,
  params: z.strictObject({ run: runId }),
  answer: z.object({ artifacts: z.array(artifact) }),
  handle: (ctx, { tenant, params: { run } }) => {
    const row = findRun(ctx, tenant, run);
    return json({ artifacts: artifactsOf(ctx, row) });
  },
});

export const readArtifact: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/runs/{run}/artifacts/{file}',
  summary: 'One of these files, to be saved. The name is one path segment: a slash in it is written %2F.',
  scope: 'tenant',
  roles: readers,
  params: z.strictObject({ run: runId, file: z.string().check(z.maxLength(300)) }),
  media: 'application/octet-stream',
  handle: (ctx, { tenant, params: { run, file } }) => {
    const row = findRun(ctx, tenant, run);
    const opened = openBundleFile(ctx.home.runDir(row.tenant, row.id), file);
    if (opened === undefined) throw unknownThing('artifact', file);
    return { kind: 'file', name: file.split('/').at(-1) ?? 'artifact', ...opened };
  },
});

/** The files of a run's bundle, and where to get them. */
export function artifactsOf(ctx: Pick<GatewayContext, 'home'>, { tenant, id }: Pick<RunRow, 'tenant' | 'id'>): z.output<typeof artifact>[] {
  const files = listBundle(ctx.home.runDir(tenant, id));
  return files.map(({ name, bytes }) => ({ name, bytes, href: `/api/v1/runs/${id}/artifacts/${encodeURIComponent(name)}` }));
}
