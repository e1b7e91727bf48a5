const maxAlternatives = 64;

/**
 * Compiles a glob to a test of a relative path, in time linear in pattern × path: both are an agent's words, so no
 * regular expression is made of them. `*` and `?` stay within a name, `**` crosses folders, `{a,b}` are alternatives;
 * a glob without `/` is about the last name alone. Undefined when it has too many alternatives.
 */
export function compileGlob(glob: string): ((path: string) => boolean) | undefined {
  const patterns = expandBraces(glob);
  if (patterns === undefined) return undefined;
  const split = patterns.map((pattern) => (pattern.includes('/') ? pattern.replace(/^\//, '').split('/') : ['**', pattern]));
  return (path) => split.some((pattern) => matchPath(pattern, path.split('/')));
}

/** The innermost braces first, each round replacing one group by its alternatives. */
function expandBraces(glob: string): string[] | undefined {
  let patterns = [glob];
  for (;;) {
    const next = patterns.flatMap((pattern) => {
      const group = /\{([^{}]*)\}/.exec(pattern);
      if (group === null) return [pattern];
      const after = pattern.slice(group.index + group[0].length);
      return (group[1] ?? '').split(',').map((choice) => pattern.slice(0, group.index) + choice + after);
    });
    if (next.length > maxAlternatives) return undefined;
    if (next.length === patterns.length && next.every((pattern, at) => pattern === patterns[at])) return next;
    patterns = next;
  }
}

/** Which prefixes of the names each prefix of the pattern covers, one row a pattern part. */
function matchPath(pattern: readonly string[], names: readonly string[]): boolean {
  let covered = names.map(() => false);
  covered.unshift(true);
  for (const part of pattern) {
    const next = covered.map(() => false);
    for (let at = 0; at <= names.length; at += 1) {
      if (part === '**') next[at] = covered[at] === true || (at > 0 && next[at - 1] === true);
      else if (at > 0) next[at] = covered[at - 1] === true && matchName(part, names[at - 1] ?? '');
    }
    covered = next;
  }
  return covered[names.length] === true;
}

/** Greedy with one point of return: the last `*`. */
function matchName(pattern: string, name: string): boolean {
  let [p, n, star, mark] = [0, 0, -1, 0];
  while (n < name.length) {
    if (pattern[p] === '*') {
      star = p;
      mark = n;
      p += 1;
    } else if (pattern[p] === '?' || pattern[p] === name[n]) {
      p += 1;
      n += 1;
    } else if (star >= 0) {
      p = star + 1;
      mark += 1;
      n = mark;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
