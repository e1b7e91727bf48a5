import type { Edge } from './edge.ts';
import type { FetchRequest, Hop } from './fetch.ts';

export type { FetchRequest, Hop };

/** What a tool gets of one request: text, or why there is none. */
export type HttpAnswer =
  | {
      readonly ok: true;
      readonly url: string;
      readonly status: number;
      readonly contentType: string;
      /** Undefined when the body is no text. */
      readonly text: string | undefined;
      readonly title?: string;
      readonly bytes: number;
      readonly isCut: boolean;
      readonly redirects: readonly string[];
    }
  | { readonly ok: false; readonly code: string; readonly reason: string; readonly mayRetry: boolean };

/** All that tools see of the broker: one function, and no key. */
export interface HttpDoor {
  fetch(
    request: FetchRequest,
    options: {
      readonly signal: AbortSignal;
      readonly maxBytes: number;
      /** Policy's word on each redirect: a reason refuses it. */
      readonly redirectFault: (hop: Hop) => string | undefined;
    },
  ): Promise<HttpAnswer>;
}

/** Opens the door on the edge of one run. */
export function openHttpDoor(edge: Edge): HttpDoor {
  return {
    async fetch(request, options) {
      const [{ fetchThroughEdge }, { EgressError }] = await Promise.all([import('./fetch.ts'), import('./egress-error.ts')]);
      try {
        const fetched = await fetchThroughEdge(edge, request, options);
        const { readableText } = await import('./readable-text.ts');
        const contentType = fetched.headers.find(([name]) => name === 'content-type')?.[1] ?? '';
        const readable = await readableText(fetched.body, contentType);
        const { url, status, isCut, redirects } = fetched;
        const title = readable?.title === undefined ? {} : { title: readable.title };
        return { ok: true, url, status, contentType, text: readable?.text, ...title, bytes: fetched.body.length, isCut, redirects };
      } catch (error) {
        if (!(error instanceof EgressError)) throw error;
        return { ok: false, code: error.code, reason: error.message, mayRetry: error.remedy === 'retry' };
      }
    },
  };
}
