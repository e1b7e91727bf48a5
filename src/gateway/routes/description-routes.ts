import { createHash } from 'node:crypto';
import type { JsonDocument } from '../openapi.ts';
import { defineRoute, json, type Route } from '../route.ts';
import type { GatewayContext } from '../gateway-context.ts';

/** The routes that describe the others, and themselves. */
export function descriptionRoutes(table: () => readonly Route[]): readonly Route[] {
  let document: JsonDocument | undefined;
  let pageText: string | undefined;
  const documentOf = async ({ build }: GatewayContext): Promise<JsonDocument> =>
    (document ??= (await import('../openapi.ts')).openApiDocument(table(), build));
  const description = defineRoute({
    method: 'GET',
    path: '/openapi.json',
    summary: 'The description of this API: OpenAPI 3.1.',
    scope: 'public',
    roles: [],
    media: 'application/json',
    handle: async (ctx) => json(await documentOf(ctx)),
  });
  const page = defineRoute({
    method: 'GET',
    path: '/docs',
    summary: 'The same as a page.',
    scope: 'public',
    roles: [],
    media: 'text/html',
    handle: async (ctx) => {
      const { pageStyle, renderApiPage } = await import('./api-page.ts');
      const hash = createHash('sha256').update(pageStyle()).digest('base64');
      const policy = `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
      pageText ??= renderApiPage(table(), await documentOf(ctx));
      return { kind: 'text', type: 'text/html; charset=utf-8', text: pageText, headers: { 'content-security-policy': policy } };
    },
  });
  return [description, page];
}
