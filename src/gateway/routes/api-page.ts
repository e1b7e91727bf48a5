import type { Route } from '../route.ts';
import type { JsonDocument } from '../openapi.ts';
import { exampleOf, type Shape } from './example-of.ts';

const style = `
:root { color-scheme: light dark; --line: light-dark(#ddd, #333); --dim: light-dark(#555, #aaa); --soft: light-dark(#f4f4f2, #1d1e20); --get: light-dark(#0b6b3a, #5fd197); --post: light-dark(#0a58a8, #7db7f5); --delete: light-dark(#a8261d, #f58b84); }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; }
nav { border-right: 1px solid var(--line); font-size: .85rem; height: 100vh; left: 0; overflow: auto; padding: 1.5rem 1rem; position: fixed; top: 0; width: 19rem; }
nav strong { display: block; margin: 1rem 0 .2rem; } nav a { color: var(--dim); display: block; overflow: hidden; text-decoration: none; text-overflow: ellipsis; white-space: nowrap; }
nav a:hover { text-decoration: underline; }
main { margin-left: 19rem; max-width: 76rem; padding: 2rem; }
section { border-top: 1px solid var(--line); display: grid; gap: 2rem; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); padding: 1.5rem 0; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; } h3 { font: 600 1rem ui-monospace, monospace; margin: 0 0 .4rem; overflow-wrap: anywhere; } h4 { font-size: .85rem; margin: 1rem 0 .3rem; }
p, li, td { color: var(--dim); }
table { border-collapse: collapse; font-size: .85rem; width: 100%; } td { border-top: 1px solid var(--line); padding: .25rem .5rem .25rem 0; vertical-align: top; }
.method { display: inline-block; font: 600 .75rem ui-monospace, monospace; min-width: 3.6rem; } .GET { color: var(--get); } .POST { color: var(--post); } .DELETE { color: var(--delete); }
pre { background: var(--soft); border-radius: 6px; font: .8rem/1.4 ui-monospace, monospace; margin: 0; max-height: 24rem; overflow: auto; padding: .7rem; }
summary { cursor: pointer; font-size: .85rem; margin: .6rem 0 .3rem; }
.roles { font-size: .85rem; }
@media (max-width: 60rem) { nav { border: 0; height: auto; position: static; width: auto; } main { margin: 0; } section { grid-template-columns: minmax(0, 1fr); } }
`;

/** The page's one style sheet: its policy lets it pass by its hash, and nothing else is loaded or run. */
export function pageStyle(): string {
  return style;
}

/** The API as a page that needs no script: what the document says, operation by operation, with a command to try each. */
export function renderApiPage(routes: readonly Route[], document: JsonDocument): string {
  const { info, paths } = document as {
    info: { title: string; version: string; description: string };
    paths: Record<string, Record<string, Operation>>;
  };
  const groups = [...Map.groupBy(routes, groupOf)];
  const operationOf = ({ path, method }: Route): Operation => paths[path]?.[method.toLowerCase()] ?? { responses: {} };
  const links = groups.map(([name, group]) => `<strong>${escapeHtml(name)}</strong>${group.map(renderLink).join('')}`);
  const sections = groups.map(
    ([name, group]) => `<h2>${escapeHtml(name)}</h2>${group.map((route) => renderRoute(route, operationOf(route))).join('\n')}`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(info.title)} API</title>
<style>${style}</style></head><body>
<nav aria-label="Operations">${links.join('')}</nav>
<main><h1>${escapeHtml(info.title)} API</h1><p>${escapeHtml(info.description)}</p>
<p>Version ${escapeHtml(info.version)}. For programs: <a href="/openapi.json">openapi.json</a>. In the commands <code>$URL</code> is this server, and <code>$TOKEN</code> what <code>clawhold tokens create</code> prints. Whatever is refused is answered as <code>application/problem+json</code>, with <code>code</code>, <code>remedy</code> and a sentence.</p>
${sections.join('\n')}
</main></body></html>
`;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean; readonly schema: Shape }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Shape }> };
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: Shape }> }>;
}

function groupOf({ path }: Route): string {
  if (path.startsWith('/api/v1/')) return path.split('/')[3] ?? '';
  return path.startsWith('/v1/') ? 'OpenAI' : 'system';
}

function anchorOf({ method, path }: Route): string {
  return `${method.toLowerCase()}${path.replaceAll(/[^a-z0-9]+/gi, '-').replace(/-$/, '')}`;
}

function renderLink(route: Route): string {
  const { method, path } = route;
  return `<a href="#${anchorOf(route)}" title="${escapeHtml(path)}"><span class="method ${method}">${method}</span>${escapeHtml(path.replace('/api/v1', ''))}</a>`;
}

function renderRoute(route: Route, operation: Operation): string {
  const { method, path, summary, roles, scope, status = 200 } = route;
  const whose = roles.length === 0 ? 'no token' : `${scope === 'platform' ? 'tenant default: ' : ''}${roles.join(', ')}`;
  const body = operation.requestBody?.content['application/json']?.schema;
  const answers = Object.entries(operation.responses[String(status)]?.content ?? {});
  return `<section id="${anchorOf(route)}"><div><h3><span class="method ${method}">${method}</span> ${escapeHtml(path)}</h3>
<p>${escapeHtml(summary)}</p><p class="roles">For: ${escapeHtml(whose)}</p>
${renderParameters(operation)}${body === undefined ? '' : `<h4>Body</h4>${renderFields(body)}${renderSchema(body)}`}</div>
<div><h4>Try it</h4><pre>${escapeHtml(commandOf(route, body))}</pre>
${answers.map(([type, { schema }]) => renderAnswer(`${status} ${type}`, schema)).join('')}</div></section>`;
}

function renderParameters({ parameters = [] }: Operation): string {
  if (parameters.length === 0) return '';
  const rows = parameters.map(({ name, in: place, required, schema }) => rowOf(name, `${place}, ${typeOf(schema)}`, required));
  return `<h4>Parameters</h4><table>${rows.join('')}</table>`;
}

function renderFields({ properties = {}, required = [] }: Shape): string {
  return `<table>${Object.entries(properties)
    .map(([name, shape]) => rowOf(name, typeOf(shape), required.includes(name)))
    .join('')}</table>`;
}

function rowOf(name: string, type: string, isRequired: boolean): string {
  return `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(type)}</td><td>${isRequired ? 'required' : ''}</td></tr>`;
}

function typeOf({ type, enum: values, const: value, anyOf }: Shape): string {
  if (values !== undefined) return values.map((one) => JSON.stringify(one)).join(' | ');
  if (value !== undefined) return JSON.stringify(value);
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' | ');
  return typeof type === 'string' ? type : (type ?? ['any']).join(' | ');
}

function renderAnswer(title: string, schema: Shape): string {
  const isJson = schema.properties !== undefined;
  return isJson
    ? `<h4>Answer ${escapeHtml(title)}</h4><pre>${escapeHtml(JSON.stringify(exampleOf(schema, 'all'), undefined, 2))}</pre>${renderSchema(schema)}`
    : `<h4>Answer ${escapeHtml(title)}</h4>`;
}

function renderSchema(schema: Shape): string {
  return `<details><summary>JSON Schema</summary><pre>${escapeHtml(JSON.stringify(schema, undefined, 2))}</pre></details>`;
}

/** As somebody would type it. */
function commandOf({ method, path, roles, scope, media, example }: Route, body: Shape | undefined): string {
  const lines = [
    `curl ${media === 'text/event-stream' ? '-N ' : ''}${method === 'GET' ? '' : `-X ${method} `}"$URL${path.replaceAll(/[{}]/g, (brace) => (brace === '{' ? '$' : ''))}"`,
  ];
  if (roles.length > 0) lines.push('-H "Authorization: Bearer $TOKEN"');
  if (scope === 'signed') lines.push('-H "X-Clawhold-Timestamp: $TIME"', '-H "X-Clawhold-Signature: sha256=$SIGNATURE"', '-d "$BODY"');
  if (body !== undefined)
    lines.push("-H 'Content-Type: application/json'", `-d '${JSON.stringify(example ?? exampleOf(body, 'required'))}'`);
  return lines.join(' \\\n  ');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
