import type { ServerResponse } from 'node:http';

/** Writes frames of one listener, those of one turn of the event loop together. */
export interface FrameWriter {
  /** Resolves when more may come: the process has had its other work meanwhile, and little is unread. */
  write(frame: string): Promise<void> | undefined;
  /** What is still here goes out. */
  flush(): void;
  /** Whoever waits goes on: the client reads again, or is gone. */
  wake(): void;
}

const batch = 64;

/**
 * A frame for a thousand listeners is a thousand system calls, and a hundred frames would be a hundred thousand: so what
 * comes within one turn is one write, and after a batch every other connection has its turn.
 */
export function openFrameWriter(response: ServerResponse, maxUnreadBytes: number): FrameWriter {
  let frames: string[] = [];
  let isScheduled = false;
  let waiting: PromiseWithResolvers<void> | undefined;
  const wake = (): void => {
    waiting?.resolve();
    waiting = undefined;
  };
  const flush = (): void => {
    if (frames.length === 0) return;
    const text = frames.join('');
    frames = [];
    if (!response.destroyed) response.write(text);
  };
  const turn = (): void => {
    isScheduled = false;
    flush();
    if (response.destroyed || response.writableLength <= maxUnreadBytes) wake();
  };
  return {
    write: (frame) => {
      frames.push(frame);
      if (!isScheduled) {
        isScheduled = true;
        setImmediate(turn);
      }
      if (frames.length < batch && response.writableLength <= maxUnreadBytes) return undefined;
      waiting ??= Promise.withResolvers<void>();
      return waiting.promise;
    },
    flush,
    wake,
  };
}
