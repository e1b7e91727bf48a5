/** Keeps the first and the last half of `maxBytes` of a stream, however much comes. */
export interface Capture {
  add(bytes: Uint8Array): void;
  readonly totalBytes: number;
  readonly cutBytes: number;
  /** With a mark on a line of its own where bytes are missing. */
  result(): Uint8Array;
}

export function newCapture(maxBytes: number): Capture {
  const headBytes = Math.ceil(maxBytes / 2);
  const tailBytes = Math.floor(maxBytes / 2);
  const head: Uint8Array[] = [];
  const tail: Uint8Array[] = [];
  let inHead = 0;
  let inTail = 0;
  let total = 0;

  function addToTail(bytes: Uint8Array): void {
    tail.push(bytes);
    inTail += bytes.length;
    for (let first = tail[0]; first !== undefined && inTail - first.length >= tailBytes; first = tail[0]) {
      tail.shift();
      inTail -= first.length;
    }
  }

  return {
    add(bytes) {
      total += bytes.length;
      const taken = Math.min(headBytes - inHead, bytes.length);
      if (taken > 0) head.push(bytes.subarray(0, taken));
      inHead += Math.max(0, taken);
      if (bytes.length > taken && tailBytes > 0) addToTail(bytes.subarray(Math.max(0, taken)));
    },
    get totalBytes() {
      return total;
    },
    get cutBytes() {
      return Math.max(0, total - headBytes - tailBytes);
    },
    result() {
      const end = Buffer.concat(tail).subarray(-Math.min(tailBytes, inTail) || inTail);
      const cut = Math.max(0, total - headBytes - tailBytes);
      if (cut === 0) return Buffer.concat([...head, end]);
      return Buffer.concat([...head, Buffer.from(`\n[... ${cut} bytes cut ...]\n`), end]);
    },
  };
}
