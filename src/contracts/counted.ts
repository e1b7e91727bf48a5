/** `1 run`, `2 runs`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `there is a`, `there are a, b and 3 more`: at most 20 names; `none` when there are none. */
export function listed(names: readonly string[], none: string): string {
  if (names.length === 0) return none;
  const more = names.length > shownNames ? ` and ${names.length - shownNames} more` : '';
  return `there ${names.length === 1 ? 'is' : 'are'} ${names.slice(0, shownNames).join(', ')}${more}`;
}

const shownNames = 20;
