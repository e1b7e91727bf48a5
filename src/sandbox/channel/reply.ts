/** One line from the supervisor; see supervisor.ts. */
export type Reply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started'; readonly id: number }
  | { readonly kind: 'ended'; readonly id: number; readonly status: number; readonly leftProcesses: boolean }
  | { readonly kind: 'no-folder'; readonly id: number }
  | { readonly kind: 'processes'; readonly count: number }
  | { readonly kind: 'word'; readonly word: string };

/** Undefined for a line that the supervisor never writes. */
export function parseReply(line: string): Reply | undefined {
  const [verb = '', first, second] = line.split(' ');
  const id = Number(first);
  switch (verb) {
    case 'R':
      return { kind: 'ready' };
    case 'S':
      return { kind: 'started', id };
    case 'X':
    case 'L':
      return { kind: 'ended', id, status: Number(second), leftProcesses: verb === 'L' };
    case 'C':
      return { kind: 'no-folder', id };
    case 'V':
      return { kind: 'processes', count: id };
    case 'Y':
      return { kind: 'word', word: first ?? '' };
    default:
      return undefined;
  }
}

/** Cuts a byte stream into lines. */
export function newLineReader(onLine: (line: string) => void): (bytes: Uint8Array) => void {
  let rest = '';
  return (bytes) => {
    const lines = (rest + Buffer.from(bytes).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
}
