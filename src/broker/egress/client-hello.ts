import { EgressError } from '../egress-error.ts';

export interface ClientHello {
  readonly serverName: string | undefined;
  /** The real name is, or may be, encrypted. */
  readonly isNameHidden: boolean;
}

/** A hello is refused when it is longer: browsers send 2 KiB. */
const maxHelloBytes = 32 * 1024;

/**
 * Reads the first message of TLS. Undefined while more bytes are needed.
 * @throws EgressError `egress.server-name` for what is no well-formed hello. Source: RFC 8446, RFC 6066, RFC 9849 (ECH)
 */
export function readClientHello(bytes: Buffer): ClientHello | undefined {
  const message = firstMessage(bytes);
  if (message === undefined) return undefined;
  try {
    return parseHello(message);
  } catch (error) {
    if (error instanceof EgressError) throw error;
    throw refused('it is cut short');
  }
}

export function looksLikeTls(firstByte: number | undefined): boolean {
  return firstByte === 22;
}

/**
 * Watches what a client sends after its first hello, until the first encrypted record: a second hello, which a server
 * may ask for, must name the same server.
 */
export class HelloWatch {
  readonly #serverName: string;
  #pending: Buffer = Buffer.alloc(0);
  #isDone = false;
  #seen = 0;

  constructor(serverName: string) {
    this.#serverName = serverName;
  }

  push(bytes: Buffer): void {
    if (this.#isDone) return;
    this.#pending = Buffer.concat([this.#pending, bytes]);
    this.#seen += bytes.length;
    while (this.#pending.length >= 5 && !this.#isDone) {
      const type = this.#pending[0];
      const length = this.#pending.readUInt16BE(3);
      // Nobody cuts a message so small, except to hide how it begins; an encrypted one is longer.
      if (type === 22 && length < 4) throw refused('a message after it is cut into crumbs');
      if (type === 22 && this.#pending[5] === 1 && this.#pending[6] === 0) {
        const hello = readClientHello(this.#pending);
        if (hello === undefined) return;
        checkServerName(hello, this.#serverName);
      }
      if (type === 23 || this.#seen > 4 * maxHelloBytes) this.#isDone = true;
      // A hello's second byte decides, so one byte of a record is too little to go on.
      if (type === 22 && this.#pending.length < 7) return;
      if (this.#pending.length < 5 + length) return;
      this.#pending = this.#pending.subarray(5 + length);
    }
  }
}

/** @throws EgressError `egress.server-name` */
export function checkServerName(hello: ClientHello, host: string): void {
  if (hello.isNameHidden) throw refused('it hides the server name (ECH), so nobody can see where it goes. Switch ECH off');
  if (hello.serverName === undefined) throw refused('it names no server (SNI)');
  if (hello.serverName.toLowerCase() !== host)
    throw refused(`it names ${JSON.stringify(hello.serverName.slice(0, 253))}, and the tunnel was opened for ${JSON.stringify(host)}`);
}

/** The handshake message, put together from its records. */
function firstMessage(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let have = 0;
  for (let at = 0; ;) {
    const want = have >= 4 ? 4 + Buffer.concat(parts).readUIntBE(1, 3) : Infinity;
    if (want !== Infinity && want > maxHelloBytes) throw refused('it is too long');
    if (have >= want) return Buffer.concat(parts).subarray(0, want);
    if (bytes.length - at < 5) return undefined;
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== 22 || bytes[at + 1] !== 3 || length === 0 || length > 16_384) throw refused('it is not TLS');
    if (have === 0 && bytes.length > at + 5 && bytes[at + 5] !== 1) throw refused('it is not TLS');
    if (bytes.length - at - 5 < length) return undefined;
    parts.push(bytes.subarray(at + 5, at + 5 + length));
    have += length;
    at += 5 + length;
    if (have > 2 * maxHelloBytes) throw refused('it is too long');
  }
}

/** Takes length-prefixed fields off a message; reading past its end throws. */
class Fields {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  number(size: 1 | 2): number {
    const value = this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new RangeError('too short');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function parseHello(message: Buffer): ClientHello {
  const fields = new Fields(message.subarray(4));
  fields.take(34);
  fields.take(fields.number(1));
  fields.take(fields.number(2));
  fields.take(fields.number(1));
  if (fields.isDone) return { serverName: undefined, isNameHidden: false };
  const extensions = new Fields(fields.take(fields.number(2)));
  if (!fields.isDone) throw refused('bytes follow it');
  let serverName: string | undefined;
  let isNameHidden = false;
  while (!extensions.isDone) {
    const type = extensions.number(2);
    const value = extensions.take(extensions.number(2));
    if (type === 0xfe0d || type === 0xffce) isNameHidden = true;
    if (type !== 0) continue;
    if (serverName !== undefined) throw refused('it names two servers');
    serverName = parseServerName(value);
  }
  return { serverName, isNameHidden };
}

function parseServerName(value: Buffer): string {
  const list = new Fields(value);
  const names = new Fields(list.take(list.number(2)));
  if (names.number(1) !== 0) throw refused('its server name is of an unknown kind');
  const name = names.take(names.number(2)).toString('latin1');
  if (!names.isDone || !list.isDone || name === '') throw refused('it names no server, or more than one');
  return name;
}

function refused(why: string): EgressError {
  return new EgressError(
    'egress.server-name',
    `The first message in the tunnel is refused, because ${why}. A tunnel carries TLS to the host it was opened for.`,
  );
}
