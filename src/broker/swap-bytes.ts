/** Replaces texts in bytes that arrive in parts. */
export interface ByteSwap {
  push(bytes: Buffer): Buffer;
  /** What was held back. */
  flush(): Buffer;
}

/**
 * Contract: parts join to what the whole would give, however it was split; only what could still become a find is held
 * back, so that a stream of events is not delayed. Bytes are read as Latin 1, so finds must be ASCII.
 */
export function createByteSwap(pairs: readonly (readonly [find: string, put: string])[]): ByteSwap {
  const finds = new Map(pairs.filter(([find]) => find !== ''));
  const longest = Math.max(0, ...[...finds.keys()].map((find) => find.length));
  const pattern = [...finds.keys()].toSorted((a, b) => b.length - a.length).map((find) => RegExp.escape(find));
  const search = pattern.length === 0 ? undefined : new RegExp(pattern.join('|'), 'g');
  let held = '';
  const swap = (text: string, keep: number): string => {
    if (search === undefined) return text;
    let done = '';
    let from = 0;
    for (const match of text.matchAll(search)) {
      // What begins within the part that is held back may still grow into a longer find.
      if (match.index >= text.length - keep) break;
      done += text.slice(from, match.index) + (finds.get(match[0]) ?? '');
      from = match.index + match[0].length;
    }
    const end = Math.max(from, text.length - keep);
    held = text.slice(end);
    return done + text.slice(from, end);
  };
  return {
    push(bytes) {
      const text = held + bytes.toString('latin1');
      held = '';
      return Buffer.from(swap(text, openTail(text, finds, longest)), 'latin1');
    },
    flush() {
      const text = held;
      held = '';
      return Buffer.from(swap(text, 0), 'latin1');
    },
  };
}

/** The same for a whole text. */
export function swapText(text: string, pairs: readonly (readonly [find: string, put: string])[]): string {
  const swap = createByteSwap(pairs.map(([find, put]) => [latin1(find), latin1(put)]));
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([swap.push(bytes), swap.flush()]).toString('utf8');
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** Length of the longest end of the text with which a find begins. */
function openTail(text: string, finds: ReadonlyMap<string, string>, longest: number): number {
  for (let length = Math.min(longest - 1, text.length); length > 0; length -= 1) {
    const tail = text.slice(text.length - length);
    for (const find of finds.keys()) if (find.length > length && find.startsWith(tail)) return length;
  }
  return 0;
}
