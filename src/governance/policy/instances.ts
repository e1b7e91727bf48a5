import type { Alternative } from './glob.ts';

/**
 * A character that stands for any other: private, so no rule names it, and no spelling of it folds to something else.
 * A pattern that matches it at some place matches every ordinary character there.
 */
export const anyCharacter = '\uE000';

const maxStars = 5;
const maxInstances = 64;

/**
 * Texts that stand for all that a wildcard matches: each `*` once as nothing and once as more than `length` characters.
 * A pattern of at most `length` signs that matches all of them matches everything that the wildcard does. Undefined when
 * there would be too many.
 */
export function instancesOf(wildcard: string, length: number): readonly string[] | undefined {
  const parts = wildcard.replaceAll('?', anyCharacter).split('*');
  if (parts.length - 1 > maxStars) return undefined;
  const long = anyCharacter.repeat(length + 1);
  return parts
    .slice(1)
    .reduce<readonly string[]>((made, part) => made.flatMap((text) => [text + part, text + long + part]), [parts[0] ?? '']);
}

/** The same for a path pattern: `**` once as no folder and once as more than `depth`. */
export function pathInstancesOf(
  { segments }: Alternative,
  { length, depth }: { readonly length: number; readonly depth: number },
): readonly (readonly string[])[] | undefined {
  const deep = [[], Array.from({ length: depth + 1 }, () => anyCharacter)];
  const parts = segments.map(({ kind, text }) => {
    if (kind === 'deep') return deep;
    return kind === 'literal' ? [[text]] : instancesOf(text, length)?.flatMap((name) => (isName(name) ? [[name]] : []));
  });
  return productOf(parts)?.map((names) => names.flat());
}

/** One of each, in all combinations; undefined when one is unknown or there would be too many. */
export function productOf<T>(parts: readonly (readonly T[] | undefined)[]): readonly (readonly T[])[] | undefined {
  let made: readonly (readonly T[])[] = [[]];
  for (const part of parts) {
    if (part === undefined || made.length * part.length > maxInstances) return undefined;
    made = made.flatMap((before) => part.map((one) => before.concat([one])));
  }
  return made;
}

/** What a normalized path can have as a part. */
function isName(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..';
}

/** As a person would write an example. */
export function asExample(instance: string): string {
  return instance.replaceAll(new RegExp(`${anyCharacter}+`, 'g'), 'x');
}
