/** The first and the last half of a text, at whole characters, with a mark on a line of its own for what is missing. */
export function cutMiddle(text: string, maxCharacters: number): { readonly text: string; readonly cut: number } {
  if (text.length <= maxCharacters) return { text, cut: 0 };
  let headEnd = Math.ceil(maxCharacters / 2);
  let tailStart = text.length - Math.floor(maxCharacters / 2);
  if (isInsidePair(text, headEnd)) headEnd -= 1;
  if (isInsidePair(text, tailStart)) tailStart += 1;
  const cut = tailStart - headEnd;
  return { text: `${text.slice(0, headEnd)}\n[${cut} characters are not shown]\n${text.slice(tailStart)}`, cut };
}

function isInsidePair(text: string, at: number): boolean {
  return /[\uDC00-\uDFFF]/.test(text[at] ?? '') && /[\uD800-\uDBFF]/.test(text[at - 1] ?? '');
}
