export interface TextChange {
  /** As a plan names the target. */
  readonly path: string;
  /** Undefined: the file does not exist yet. */
  readonly before: string | undefined;
  /** Undefined: the file is removed. */
  readonly after: string | undefined;
}

const maxEditLength = 5000;

/** What a person sees of a change: a unified diff, or one sentence where none can be shown. Not redacted, not escaped. */
export async function diffText(change: TextChange): Promise<string> {
  const { path, before, after } = change;
  if (before?.includes('\0') === true || after?.includes('\0') === true) return `${path}: binary, cannot be shown\n`;
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import('diff');
  const from = before === undefined ? '/dev/null' : `a/${path}`;
  const to = after === undefined ? '/dev/null' : `b/${path}`;
  const options = { context: 3, maxEditLength, headerOptions: FILE_HEADERS_ONLY };
  const patch = createTwoFilesPatch(from, to, before ?? '', after ?? '', undefined, undefined, options);
  return patch ?? `${path}: too different to be shown, ${before?.length ?? 0} characters before and ${after?.length ?? 0} after\n`;
}
