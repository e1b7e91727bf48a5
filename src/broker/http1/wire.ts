import type { Socket } from 'node:net';
import { EgressError } from '../egress-error.ts';

const headEnd = Buffer.from('\r\n\r\n');

/**
 * A connection, read and written in turns.
 *
 * Contract: bytes that were read and given back are read again first; an error, a deadline or an idle connection
 * rejects what waits and everything after; what is written waits for the other side to take it.
 */
export class Wire implements Disposable {
  readonly socket: Socket;
  #stash: Buffer[] = [];
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void)[] = [];

  readonly #listeners: readonly (readonly [event: string, listener: (error: Error) => void])[] = [
    ['readable', () => this.#wakeAll()],
    ['drain', () => this.#wakeAll()],
    ['finish', () => this.#wakeAll()],
    ['end', () => this.#end()],
    ['close', () => this.#end()],
    ['error', (error) => this.fail(error)],
  ];

  constructor(socket: Socket, idleMs: number) {
    this.socket = socket;
    for (const [event, listener] of this.#listeners) socket.on(event, listener);
    socket.setTimeout(idleMs, () =>
      this.fail(new EgressError('egress.too-slow', `Nothing came or went for ${idleMs} ms. The connection was closed; try again.`)),
    );
  }

  get isOpen(): boolean {
    return this.#error === undefined && !this.#isEnded && !this.socket.destroyed;
  }

  /** What is there, at least one byte; undefined at the end. */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      const stashed = this.#stash.shift();
      if (stashed !== undefined) return stashed;
      this.#check();
      const bytes = this.socket.read() as Buffer | null;
      if (bytes !== null) return bytes;
      if (this.#isEnded) return undefined;
      await this.#changed();
    }
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#stash.unshift(bytes);
  }

  /** Everything that was read and given back. */
  takeStash(): Buffer {
    const bytes = Buffer.concat(this.#stash);
    this.#stash = [];
    return bytes;
  }

  /** A message's head with its empty line; undefined when the connection ends before its first byte. */
  async readHead(limits: { readonly maxBytes: number; readonly ms: number }): Promise<Buffer | undefined> {
    return await this.within(limits.ms, `The head of a message took longer than ${limits.ms} ms.`, async () => {
      let head: Buffer = Buffer.alloc(0);
      for (;;) {
        const bytes = await this.read();
        if (bytes === undefined) {
          if (head.length === 0) return undefined;
          throw new EgressError('egress.bad-request', 'The connection ended within the head of a message. Send it whole.');
        }
        const from = Math.max(0, head.length - 3);
        head = head.length === 0 ? bytes : Buffer.concat([head, bytes]);
        const end = head.indexOf(headEnd, from);
        if ((end === -1 ? head.length : end) > limits.maxBytes)
          throw new EgressError('egress.too-large', `The head of a message has more than ${limits.maxBytes} bytes. Send less.`);
        if (end !== -1) {
          this.unread(head.subarray(end + 4));
          return head.subarray(0, end + 4);
        }
        if (hasBareNewline(head, from)) throw new EgressError('egress.bad-request', 'A line ends without CR. Send it as HTTP/1.1 says.');
      }
    });
  }

  async write(bytes: Buffer): Promise<void> {
    this.#check();
    if (this.socket.destroyed || this.socket.writableEnded) throw closed();
    if (this.socket.write(bytes)) return;
    while (this.socket.writableNeedDrain) {
      await this.#changed();
      this.#check();
      if (this.socket.destroyed) throw closed();
    }
  }

  /** Does the work; when it takes longer, the connection fails and the work with it. */
  async within<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.fail(new EgressError('egress.too-slow', `${what} The connection was closed; try again.`)), ms);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  fail(error: Error): void {
    this.#error ??= error;
    this.socket.destroy();
    this.#wakeAll();
  }

  /** Hands the connection on, with what was read and given back still in it; this wire is not used any more. */
  release(): Socket {
    for (const [event, listener] of this.#listeners) this.socket.off(event, listener);
    this.socket.setTimeout(0);
    this.socket.removeAllListeners('timeout');
    const rest = this.takeStash();
    if (rest.length > 0) this.socket.unshift(rest);
    return this.socket;
  }

  /** Says the last bytes, then closes; a peer that does not take them is cut off by the idle limit. */
  end(): void {
    this.socket.end();
  }

  /** The same, and waits until they are out, at most so long. */
  async finish(ms: number): Promise<void> {
    if (this.socket.destroyed) return;
    this.socket.end();
    const deadline = setTimeout(() => this.fail(closed()), ms);
    while (!this.socket.writableFinished && !this.socket.destroyed) await this.#changed();
    clearTimeout(deadline);
  }

  [Symbol.dispose](): void {
    this.#error ??= closed();
    this.socket.destroy();
    this.#wakeAll();
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  #end(): void {
    this.#isEnded = true;
    this.#wakeAll();
  }

  async #changed(): Promise<void> {
    await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #wakeAll(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}

function hasBareNewline(head: Buffer, from: number): boolean {
  for (let at = head.indexOf(10, from); at !== -1; at = head.indexOf(10, at + 1)) if (head[at - 1] !== 13) return true;
  return false;
}

function closed(): EgressError {
  return new EgressError('egress.closed', 'The connection was closed before all was said. Try again.');
}
