import type { Finder, Span } from './find.ts';

const begin = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const end = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
/** Headers of PGP armour, then letters of base 64 and PEM headers, real or escaped line ends, quotes, `+` between literals. */
const body = /(?:\s*(?:Version|Comment|Charset|Hash): [^\r\n]{0,200})*[A-Za-z0-9+/=\s\\"',:-]*/y;
/** Less is a placeholder in documentation. */
const material = /[A-Za-z0-9+/]{16}/;

/**
 * Private keys in PEM or PGP armour, also escaped in JSON, also cut off before their END: from BEGIN to the last
 * letter that can belong to the key.
 */
export const findPrivateKeys: Finder = (text) => {
  const spans: Span[] = [];
  for (const block of blocksOf(text)) {
    if (material.test(text.slice(block.bodyStart, block.end))) spans.push({ start: block.start, end: block.end, name: 'private-key' });
  }
  return spans;
};

/** Where the block begins that lies across the cut, or that text to come may still belong to; -1 when there is none. */
export function privateKeyAcross(text: string, cut: number): number {
  return blocksOf(text).find((block) => block.start < cut && (block.isOpen || cut < block.end))?.start ?? -1;
}

interface Block {
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
  /** Nothing yet says that the block is over. */
  readonly isOpen: boolean;
}

function blocksOf(text: string): readonly Block[] {
  const blocks: Block[] = [];
  if (!text.includes('PRIVATE KEY')) return blocks;
  const heads = [...text.matchAll(begin)];
  for (const [index, head] of heads.entries()) {
    // A block ends where another begins: what looks like its body may be a secret of its own that is hidden first.
    const limit = heads[index + 1]?.index ?? text.length;
    const bodyStart = head.index + head[0].length;
    body.lastIndex = bodyStart;
    body.exec(text);
    const run = text.slice(bodyStart, Math.min(body.lastIndex, limit));
    const tail = end.exec(run);
    const length = tail === null ? run.trimEnd().length : tail.index + tail[0].length;
    blocks.push({ start: head.index, bodyStart, end: bodyStart + length, isOpen: tail === null && bodyStart + run.length === text.length });
  }
  return blocks;
}
