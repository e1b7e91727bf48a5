import fs from 'node:fs';

/** One whole line of a file that grows, and where it ends. */
export interface WholeLine {
  readonly text: string;
  /** Offset of the byte behind its newline. */
  readonly end: number;
}

const chunkBytes = 256 * 1024;

/**
 * The whole lines that stand behind `offset` now. A torn last line is left for a later call: its writer may finish it,
 * or cut it off. A missing file has no lines.
 */
export async function* readWholeLines(file: string, offset: number): AsyncGenerator<WholeLine> {
  const handle = await fs.promises.open(file, 'r').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    let rest = Buffer.alloc(0);
    let at = offset;
    const { size } = await handle.stat();
    while (at + rest.length < size) {
      const wanted = Math.min(chunkBytes, size - at - rest.length);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at + rest.length);
      if (bytesRead === 0) return;
      const bytes = rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
      let start = 0;
      for (let newline = bytes.indexOf(10); newline !== -1; newline = bytes.indexOf(10, start)) {
        const text = bytes.toString('utf8', start, newline);
        start = newline + 1;
        yield { text, end: at + start };
      }
      at += start;
      rest = bytes.subarray(start);
    }
  } finally {
    await handle.close();
  }
}
