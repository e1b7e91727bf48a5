import { isMap, isNode, isScalar, isSeq, type Node } from 'yaml';
import type { Tree } from './parse-document.ts';

/** The 1-based line of a key or entry; of its nearest parent that exists when it does not. */
export function lineOf(tree: Tree, path: readonly (string | number)[]): number {
  let offset = tree.document.contents?.range?.[0] ?? 0;
  let node: unknown = tree.document.contents;
  for (const part of path) {
    const found = step(node, part);
    if (found === undefined) break;
    offset = found.at.range?.[0] ?? offset;
    node = found.value;
  }
  return Math.max(1, tree.lines.linePos(offset).line);
}

function step(node: unknown, part: string | number): { readonly at: Node; readonly value: unknown } | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
    return pair !== undefined && isNode(pair.key) ? { at: pair.key, value: pair.value } : undefined;
  }
  const item = isSeq(node) ? node.items[Number(part)] : undefined;
  return isNode(item) ? { at: item, value: item } : undefined;
}
