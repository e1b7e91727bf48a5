import type { ServerResponse } from 'node:http';
import { openFrameWriter } from './frame-writer.ts';

export interface EventStream {
  readonly frames: AsyncGenerator<string, void>;
  readonly headers: Readonly<Record<string, string>>;
  /** Asked at each heartbeat: a token may have been revoked. */
  readonly isStillAllowed: () => boolean;
  readonly heartbeatMs: number;
  readonly maxUnreadBytes: number;
}

export type EventsOutcome = 'ended' | 'left' | 'too-slow' | 'revoked';

/**
 * Sends frames as they come, and a comment when none came for a while, so that a dead connection is noticed.
 *
 * Back pressure: the generator is asked for the next frame only while little is unread. A listener that has something
 * unread and took nothing of it between two heartbeats is dropped; it can come back with the id of its last event.
 */
export async function sendEvents(response: ServerResponse, stream: EventStream): Promise<EventsOutcome> {
  const { frames, headers, isStillAllowed, heartbeatMs, maxUnreadBytes } = stream;
  let outcome: EventsOutcome = 'ended';
  const writer = openFrameWriter(response, maxUnreadBytes);
  response.on('close', () => {
    if (!response.writableFinished && outcome === 'ended') outcome = 'left';
    writer.wake();
  });
  response.on('drain', () => writer.wake());
  response.writeHead(200, headers);
  response.flushHeaders();
  let taken = 0;
  const beat = setInterval(() => {
    const before = taken;
    taken = takenBytes(response);
    if (!isStillAllowed()) outcome = 'revoked';
    else if (response.writableLength === 0) response.write(':\n\n');
    else if (taken === before) outcome = 'too-slow';
    if (outcome !== 'ended') response.destroy();
  }, heartbeatMs);
  try {
    for await (const frame of frames) {
      if (response.destroyed) break;
      const full = writer.write(frame);
      if (full !== undefined) await full;
    }
  } finally {
    clearInterval(beat);
    writer.flush();
    if (!response.destroyed) response.end();
  }
  return outcome;
}

/** Bytes that the kernel has taken, which it does as the client reads. */
function takenBytes({ socket }: ServerResponse): number {
  return socket === null ? 0 : socket.bytesWritten - socket.writableLength;
}
