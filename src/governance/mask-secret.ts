/** A secret for display: a known prefix and the last four letters, `sk-…abcd`. Short ones show nothing. */
export function maskSecret(value: string): string {
  if (value.length < 12) return '…';
  const prefix = /^(?:sk-ant-|sk-proj-|sk-|gh[a-z]_|github_pat_|glpat-|xox[a-z]-|npm_|AKIA|AIza)/.exec(value)?.[0] ?? '';
  return value.length < prefix.length + 12 ? `${prefix}…` : `${prefix}…${value.slice(-4)}`;
}
