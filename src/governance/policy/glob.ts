import { FixRequestError } from '../../contracts/errors.ts';
import { fold } from './fold.ts';

/**
 * Globs of policy files. Our own, because a policy's matcher must take linear steps on names that an attacker chooses
 * (a regular expression may not) and must have no syntax that two readers understand differently:
 * `*` any characters but `/`, `?` one character but `/`, `**` between slashes any number of folders (also none),
 * `{a,b}` alternatives. A leading dot is an ordinary character. Everything else stands for itself.
 */
export interface Glob {
  readonly source: string;
  readonly alternatives: readonly Alternative[];
  /** The same, folded: what ask and deny compare with. */
  readonly folded: readonly Alternative[];
  /** True when nothing in the pattern narrows anything: `**`, `*`, `*.*`. */
  readonly isEverything: boolean;
}

export interface Alternative {
  readonly segments: readonly Segment[];
  /** What the first and the last name must be, when they are fixed: most patterns are told apart by these. */
  readonly first: string | undefined;
  readonly last: string | undefined;
}

interface Segment {
  readonly text: string;
  /** `deep` is `**`: any number of segments. */
  readonly kind: 'literal' | 'wildcard' | 'deep';
}

const maxLength = 1024;
const maxAlternatives = 64;

/** @throws FixRequestError when the pattern has syntax that is not ours, so that no rule means less than it looks. */
export function compileGlob(source: string): Glob {
  refuseForeignSyntax(source);
  const alternatives = expandBraces(source).map((text) => segmentsOf(source, text));
  return {
    source,
    alternatives: alternatives.map(toAlternative),
    folded: alternatives.map((segments) => toAlternative(segments.map(fold))),
    isEverything: alternatives.some((segments) => segments.every((segment) => !/[^*?.]/.test(segment))),
  };
}

function toAlternative(names: readonly string[]): Alternative {
  const segments = names.map(toSegment);
  const [first] = segments;
  const last = segments.at(-1);
  return { segments, first: first?.kind === 'literal' ? first.text : undefined, last: last?.kind === 'literal' ? last.text : undefined };
}

function toSegment(text: string): Segment {
  if (text === '**') return { text, kind: 'deep' };
  return { text, kind: /[*?]/.test(text) ? 'wildcard' : 'literal' };
}

/** `names` of a normalized path; the root itself has none. */
export function globMatches(alternatives: readonly Alternative[], names: readonly string[]): boolean {
  for (const { segments, first, last } of alternatives) {
    if (first !== undefined && first !== names[0]) continue;
    if (last !== undefined && last !== names[names.length - 1]) continue;
    if (matchSegments(segments, names)) return true;
  }
  return false;
}

/** Greedy with one point of return: each step moves a pointer forward, so time is at most pattern × name. */
function matchSegments(pattern: readonly Segment[], segments: readonly string[]): boolean {
  let at = 0;
  let rule = 0;
  let returnRule = -1;
  let returnAt = 0;
  while (at < segments.length) {
    const part = pattern[rule];
    if (part?.kind === 'deep') {
      returnRule = rule;
      returnAt = at;
      rule += 1;
    } else if (part !== undefined && segmentMatches(part, segments[at] ?? '')) {
      rule += 1;
      at += 1;
    } else if (returnRule >= 0) {
      returnAt += 1;
      at = returnAt;
      rule = returnRule + 1;
    } else return false;
  }
  while (pattern[rule]?.kind === 'deep') rule += 1;
  return rule === pattern.length;
}

function segmentMatches(part: Segment, name: string): boolean {
  return part.kind === 'literal' ? part.text === name : wildcardMatches(part.text, name);
}

/** `*` any characters, `?` one character (a surrogate pair counts as one). */
export function wildcardMatches(pattern: string, text: string): boolean {
  let at = 0;
  let rule = 0;
  let returnRule = -1;
  let returnAt = 0;
  while (at < text.length) {
    const sign = pattern[rule];
    if (sign === '*') {
      returnRule = rule;
      returnAt = at;
      rule += 1;
    } else if (sign === '?') {
      rule += 1;
      at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    } else if (sign === text[at]) {
      rule += 1;
      at += 1;
    } else if (returnRule >= 0) {
      returnAt += 1;
      at = returnAt;
      rule = returnRule + 1;
    } else return false;
  }
  while (pattern[rule] === '*') rule += 1;
  return rule === pattern.length;
}

function refuseForeignSyntax(source: string): void {
  if (source.length > maxLength) throw badGlob(source.slice(0, 40), `it has more than ${maxLength} characters`);
  if (source.startsWith('!')) throw badGlob(source, 'a pattern cannot be negated; write a deny rule for what is excepted');
  if (/[[\]\\]/.test(source))
    throw badGlob(source, 'character classes and backslashes are not supported; use ? for one character or {a,b} for alternatives');
  if (/[@!+*?]\(/.test(source)) throw badGlob(source, 'extended globs such as +(a) are not supported; use {a,b}');
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(source)) throw badGlob(source, 'it has a control character');
}

function segmentsOf(source: string, text: string): readonly string[] {
  if (text === '.') return [];
  const segments = (text.endsWith('/') ? text.slice(0, -1) : text).split('/');
  for (const segment of segments) {
    if (segment === '') throw badGlob(source, 'it has an empty part; patterns are relative and have one slash between parts');
    if (segment === '.' || segment === '..')
      throw badGlob(source, `the part "${segment}" never matches, because paths are normalized first`);
    if (segment !== '**' && segment.includes('**')) throw badGlob(source, '** must stand alone between slashes, as in docs/**/*.md');
  }
  return segments;
}

function expandBraces(source: string): readonly string[] {
  let open: readonly string[] = [source];
  const done: string[] = [];
  while (open.length > 0) {
    const next: string[] = [];
    for (const text of open) {
      const inner = /\{([^{}]*)\}/.exec(text);
      if (inner === null) {
        if (/[{}]/.test(text)) throw badGlob(source, 'its braces are not balanced');
        done.push(text);
        continue;
      }
      const before = text.slice(0, inner.index);
      const after = text.slice(inner.index + inner[0].length);
      for (const part of (inner[1] ?? '').split(',')) next.push(before + part + after);
    }
    if (next.length + done.length > maxAlternatives) throw badGlob(source, `its braces make more than ${maxAlternatives} alternatives`);
    open = next;
  }
  return done;
}

function badGlob(source: string, why: string): FixRequestError {
  return new FixRequestError('governance.bad-pattern', `The pattern ${JSON.stringify(source)} cannot be used: ${why}. Correct it.`);
}
