import type * as z from 'zod/mini';

type Issue = z.core.$ZodIssue;

/** What is wrong with a tool's arguments, for a model: every violation at once, each with its place. */
export function problemOf(error: z.core.$ZodError): string {
  return error.issues.map(describe).join('; ');
}

function describe(issue: Issue): string {
  const place = issue.path.length === 0 ? 'the arguments' : `\`${issue.path.join('.')}\``;
  if (issue.code === 'invalid_type') return `${place} must be ${issue.expected}`;
  if (issue.code === 'unrecognized_keys') return `there is no argument ${issue.keys.map((key) => `\`${key}\``).join(', ')}`;
  if (issue.code === 'too_small') return `${place} must be at least ${String(issue.minimum)}${unit(issue.origin)}`;
  if (issue.code === 'too_big') return `${place} must be at most ${String(issue.maximum)}${unit(issue.origin)}`;
  return `${place} ${issue.message}`;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' items long' : '';
}
