import * as z from 'zod/mini';
import type { HttpAnswer } from '../../broker/client.ts';
import type { ToolResult } from '../../contracts/tool.ts';
import { defineTool, failure, type CoreTool } from './define-tool.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Off by default: it reaches only the hosts of the agent's grant, through the broker's edge. */
export const httpFetch: CoreTool = defineTool({
  name: 'http.fetch',
  summary: 'Fetches an http(s) address of a granted host; pages come as readable text. Secrets are written {{secret:NAME}}.',
  schema: z.strictObject({
    url: z.string().check(z.minLength(1), z.maxLength(8192)),
    method: z._default(z.enum(methods), 'GET'),
    headers: z.optional(z.record(z.string(), z.string())),
    body: z.optional(z.string()),
  }),
  effects: ['read', 'outside'],
  args: {
    url: { role: 'destination', kind: 'host' },
    method: { role: 'selector' },
    headers: { role: 'selector' },
    body: { role: 'content' },
  },
  // What a server says is its word, not a record's; also its status.
  structured: [],
  recovery: 'ask-human',
  open: ({ http, limits }) => ({
    async perform(args, { signal, mayReachHost }) {
      if (http === undefined)
        return failure('http.not-granted', 'This agent reaches no host. A human can grant some: http.fetch: {hosts: [...]} in agent.yaml.');
      const { url, method, body } = args;
      const answer = await http.fetch(
        { url, method, headers: withType(args.headers ?? {}, body), ...(body === undefined ? {} : { body }) },
        {
          signal: AbortSignal.any([signal, AbortSignal.timeout(limits.fetchMs)]),
          maxBytes: limits.fetchBytes,
          redirectFault: (hop) => (mayReachHost?.({ url: hop.url, ...hop.at, method }) === true ? undefined : 'policy does not allow it.'),
        },
      );
      return answer.ok ? resultOf(answer) : refusalOf(answer);
    },
  }),
});

function withType(headers: Readonly<Record<string, string>>, body: string | undefined): Readonly<Record<string, string>> {
  if (body === undefined || Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')) return headers;
  return { ...headers, 'content-type': /^\s*[[{]/.test(body) ? 'application/json' : 'text/plain; charset=utf-8' };
}

function resultOf(answer: Extract<HttpAnswer, { ok: true }>): ToolResult {
  const { url, status, contentType, text, title, bytes, isCut, redirects } = answer;
  const source = `url:${url}`;
  const said = `${status} ${contentType === '' ? 'of no stated type' : contentType}, ${bytes} bytes${isCut ? ' (cut: the answer is longer)' : ''}`;
  const way = redirects.length === 0 ? '' : ` after ${redirects.length} redirect(s)`;
  const data = { url, status, contentType, bytes, isCut };
  if (text === undefined && bytes > 0)
    return { isError: true, code: 'http.not-text', text: `${url}: ${said}${way}. It is no text.`, data, source };
  const head = `${url}: ${said}${way}${title === undefined ? '' : `\nTitle: ${title}`}`;
  return { isError: false, text: `${head}\n\n${text ?? ''}`, data, source };
}

function refusalOf({ code, reason, mayRetry }: Extract<HttpAnswer, { ok: false }>): ToolResult {
  if (code === 'egress.not-granted') return failure('http.not-granted', reason);
  return failure(mayRetry ? 'http.failed' : 'http.refused', reason);
}
