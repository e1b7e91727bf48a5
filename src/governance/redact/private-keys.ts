import type { Finder, Span } from './find.ts';

const begin = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const end = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/;
/** Headers of PGP armour, then letters of base 64 and PEM headers, real or escaped line ends, quotes, `+` between literals. */
const body = /^(?:\s*(?:Version|Comment|Charset|Hash): [^\r\n]{0,200})*[A-Za-z0-9+/=\s\\"',:-]*/;
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

/**
 * Tells where the block begins that lies across a cut, or that text to come may still belong to; -1 when there is none.
 * Each cut must lie before the last one: then all of them together take one way through the blocks.
 */
export function privateKeysAcross(text: string): (cut: number) => number {
  const blocks = [...blocksOf(text)];
  return (cut) => {
    let block = blocks.at(-1);
    for (; block !== undefined && block.start >= cut; block = blocks.at(-1)) blocks.pop();
    return block !== undefined && (block.isOpen || cut < block.end) ? block.start : -1;
  };
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
    // Only to there: the body's letters are also those of a next BEGIN, and thousands of them would each read to the end.
    const room = text.slice(bodyStart, limit);
    const run = body.exec(room)?.[0] ?? '';
    const tail = end.exec(run);
    const length = tail === null ? run.trimEnd().length : tail.index + tail[0].length;
    blocks.push({ start: head.index, bodyStart, end: bodyStart + length, isOpen: tail === null && bodyStart + run.length === text.length });
  }
  return blocks;
}
