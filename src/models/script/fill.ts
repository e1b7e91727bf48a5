import type { JsonValue } from '../../contracts/json.ts';

/** What a template can refer to: all of it stands in the request's messages. */
export interface FillContext {
  readonly user: string;
  /** Since the last message of the user, in order. */
  readonly results: readonly { readonly tool: string; readonly text: string; readonly isError: boolean }[];
}

/**
 * Fills `{{user}}` and `{{result TOOL N | filter …}}`; docs/scripted-models.md lists the filters. One pass: what a
 * result says is never read as a template. What is not there becomes `(no result)`, an unknown filter `(no filter NAME)`.
 */
export function fill(template: string, context: FillContext): string {
  return template.replaceAll(/\{\{([^{}]{1,300}(?:\{[0-9,]{1,9}\}[^{}]{0,100})*)\}\}/g, (_, inside: string) => {
    const [source = '', ...filters] = splitFilters(inside);
    const start = sourceText(source, context);
    return start === undefined ? '(no result)' : filters.reduce(applyFilter, start);
  });
}

/** Every text within, deep. */
export function fillJson(value: JsonValue, context: FillContext): JsonValue {
  if (typeof value === 'string') return fill(value, context);
  if (Array.isArray(value)) return value.map((each: JsonValue) => fillJson(each, context));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, fillJson(field, context)]));
}

/** A `|` inside a `/regex/` does not separate. */
function splitFilters(inside: string): readonly string[] {
  return inside.split(/(?<!\\)\s\|\s/).map((part) => part.trim());
}

function sourceText(source: string, context: FillContext): string | undefined {
  if (source === 'user') return context.user;
  const [word, tool, position] = source.split(/\s+/);
  if (word !== 'result' || tool === undefined) return undefined;
  const results = context.results.filter((result) => result.tool === tool);
  const found = position === undefined ? results.at(-1) : results[Number(position) - 1];
  return found === undefined ? undefined : withoutFence(found.text);
}

/** The run fences untrusted text for the model, `<untrusted …>` to `</untrusted>`; a report quotes what is inside. */
function withoutFence(text: string): string {
  return text
    .replace(/^<untrusted[^>\n]*>\n?/, '')
    .replace(/\n?<\/untrusted>\s*$/, '')
    .replaceAll(/&lt;(?=[\s/]*untrusted)/gi, '<');
}

function applyFilter(text: string, filter: string): string {
  const [name = ''] = filter.split(' ', 1);
  const argument = filter.slice(name.length + 1);
  const lines = text.split('\n');
  if (name === 'lines') return lines.slice(0, Number(argument)).join('\n');
  if (name === 'line') return lines[Number(argument) - 1] ?? '(no such line)';
  if (name === 'count') return String(lines.filter((line) => line.trim() !== '').length);
  if (name === 'chars') return text.slice(0, Number(argument));
  if (name === 'indent') return lines.map((line) => `    ${line}`).join('\n');
  if (name === 'match') return matchText(text, argument);
  return `(no filter ${name})`;
}

/** The first group of the first match, or the whole match. */
function matchText(text: string, argument: string): string {
  const body = /^\/(.{1,200})\/([imu]{0,3})$/.exec(argument);
  if (body === null) return '(no filter match)';
  const found = new RegExp(body[1] ?? '', body[2]).exec(text);
  return found === null ? '(no match)' : (found[1] ?? found[0]);
}
