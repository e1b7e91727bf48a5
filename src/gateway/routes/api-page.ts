import type { Route } from '../route.ts';
import type { JsonDocument } from '../openapi.ts';

const style = `
:root { color-scheme: light dark; --line: light-dark(#ddd, #333); --dim: light-dark(#555, #aaa); --soft: light-dark(#f4f4f2, #1d1e20); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, li { color: var(--dim); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .4rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; } summary code { font-weight: 600; }
.method { display: inline-block; width: 4.2rem; font: 600 .8rem ui-monospace, monospace; }
pre { background: var(--soft); border-radius: 6px; font: .8rem/1.4 ui-monospace, monospace; overflow: auto; padding: .7rem; }
.roles { color: var(--dim); font-size: .85rem; }
`;

/** The page's one style sheet: its policy lets it pass by its hash, and nothing else is loaded or run. */
export function pageStyle(): string {
  return style;
}

/** The API as a page that needs no script: what the document says, operation by operation. */
export function renderApiPage(routes: readonly Route[], document: JsonDocument): string {
  const { info, paths } = document as {
    info: { title: string; version: string; description: string };
    paths: Record<string, Record<string, Operation>>;
  };
  const groups = Map.groupBy(routes, ({ path }) =>
    path.startsWith('/api/v1/') ? (path.split('/')[3] ?? '') : path.startsWith('/v1/') ? 'OpenAI' : 'system',
  );
  const sections = [...groups].map(
    ([name, group]) =>
      `<h2>${escapeHtml(name)}</h2>${group.map((route) => renderRoute(route, paths[route.path]?.[route.method.toLowerCase()])).join('')}`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(info.title)} API</title>
<style>${style}</style></head><body>
<h1>${escapeHtml(info.title)} API</h1><p>${escapeHtml(info.description)}</p>
<p>Version ${escapeHtml(info.version)}. For programs: <a href="/openapi.json">openapi.json</a>. A token is sent as <code>Authorization: Bearer TOKEN</code>.</p>
${sections.join('\n')}
</body></html>
`;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean; readonly schema: object }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: object }> }>;
}

function renderRoute({ method, path, summary, roles, scope, status = 200 }: Route, operation: Operation | undefined): string {
  const whose = roles.length === 0 ? 'no token' : `${scope === 'platform' ? 'tenant default: ' : ''}${roles.join(', ')}`;
  const parameters = (operation?.parameters ?? []).map(
    (one) => `<li><code>${escapeHtml(one.name)}</code> (${one.in}${one.required ? ', required' : ''})</li>`,
  );
  const body = operation?.requestBody?.content['application/json']?.schema;
  const answer = Object.entries(operation?.responses[String(status)]?.content ?? {});
  return `<details><summary><span class="method">${method}</span> <code>${escapeHtml(path)}</code></summary>
<p>${escapeHtml(summary)}</p><p class="roles">For: ${escapeHtml(whose)}</p>
${parameters.length === 0 ? '' : `<ul>${parameters.join('')}</ul>`}
${body === undefined ? '' : `<p>Body</p>${renderSchema(body)}`}
${answer.map(([type, { schema }]) => `<p>Answer ${status}, ${escapeHtml(type)}</p>${renderSchema(schema)}`).join('')}
</details>`;
}

function renderSchema(schema: object): string {
  return `<pre>${escapeHtml(JSON.stringify(schema, undefined, 2))}</pre>`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
