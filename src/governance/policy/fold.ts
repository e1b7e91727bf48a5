const plain = /^(?:[a-z0-9_\-/*?.]*[a-z0-9_\-/*?])?$/;

/**
 * One spelling for names that some file system treats as the same: case (with ß, ſ and dotless ı), compatibility forms,
 * characters without width (HFS+ ignores them), dots and spaces at the end (Windows drops them). What forbids compares
 * folded names, what allows compares exact ones, so that a spelling can only ever lose a right.
 */
export function fold(segment: string): string {
  if (plain.test(segment)) return segment;
  const bare = segment
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase();
  return /^[.\s]*$/.test(bare) ? bare : bare.replace(/[.\s]+$/, '');
}
