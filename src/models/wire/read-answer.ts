import { createParser } from 'eventsource-parser';
import { badAnswerError, tooLargeError } from './failures.ts';

/** Limits of one answer in bytes: `document` for one JSON body or one event, `stream` for all events together. */
export const answerLimits = { document: 8 * 1024 * 1024, stream: 64 * 1024 * 1024, error: 64 * 1024 } as const;

export interface ServerEvent {
  /** Undefined for an unnamed event. */
  readonly event: string | undefined;
  readonly data: string;
}

/**
 * The events of a text/event-stream body.
 * @throws ModelError `models.too-large`, `models.bad-answer` for bytes that are not UTF-8
 */
export async function* readEvents(
  provider: string,
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = answerLimits.stream,
): AsyncGenerator<ServerEvent> {
  const ready: ServerEvent[] = [];
  let heldBytes = 0;
  const parser = createParser({
    onEvent: ({ event, data }) => {
      heldBytes = 0;
      ready.push({ event, data });
    },
    onComment: () => void (heldBytes = 0),
  });
  for await (const [text, bytes] of readText(provider, chunks, maxBytes)) {
    heldBytes += bytes;
    parser.feed(text);
    if (heldBytes > answerLimits.document) throw tooLargeError(provider, answerLimits.document);
    yield* ready.splice(0);
  }
  // A server that forgets the last blank line still said its last event whole.
  parser.feed('\n\n');
  yield* ready.splice(0);
}

/** The whole body as text. @throws ModelError as above */
export async function readAll(
  provider: string,
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number = answerLimits.document,
): Promise<string> {
  const parts: string[] = [];
  for await (const [text] of readText(provider, chunks, maxBytes)) parts.push(text);
  return parts.join('');
}

async function* readText(
  provider: string,
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<readonly [text: string, bytes: number]> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let total = 0;
  for await (const chunk of chunks) {
    total += chunk.byteLength;
    if (total > maxBytes) throw tooLargeError(provider, maxBytes);
    yield [decode(provider, () => decoder.decode(chunk, { stream: true })), chunk.byteLength];
  }
  yield [decode(provider, () => decoder.decode()), 0];
}

function decode(provider: string, run: () => string): string {
  try {
    return run();
  } catch (cause) {
    throw badAnswerError(provider, 'its bytes are not UTF-8', cause);
  }
}

/** @throws ModelError `models.bad-answer` unless the text is one JSON object */
export function parseObject(provider: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw badAnswerError(provider, `not JSON (it begins with ${JSON.stringify(text.slice(0, 40))})`, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw badAnswerError(provider, 'JSON, but no object');
  return value as Record<string, unknown>;
}
