import { binaryKind, decodeText } from './core/text-file.ts';

export interface PreviewOptions {
  readonly target: string;
  readonly beforeBytes?: Uint8Array;
  readonly afterBytes: Uint8Array;
}

const maxEditLength = 5000;

/** What a person sees of a change: a unified diff, or one sentence where no diff can be shown. Not yet redacted. */
export async function previewChange(change: PreviewOptions): Promise<string> {
  const before = decodeText(change.beforeBytes ?? new Uint8Array());
  const after = decodeText(change.afterBytes);
  if (before === undefined || after === undefined) {
    const size = change.beforeBytes?.length ?? 0;
    return `${change.target}: ${binaryKind(change.afterBytes)}, ${size} bytes before and ${change.afterBytes.length} after`;
  }
  const { createTwoFilesPatch } = await import('diff');
  const from = change.beforeBytes === undefined ? '/dev/null' : `a/${change.target}`;
  const patch = createTwoFilesPatch(from, `b/${change.target}`, before, after, undefined, undefined, { context: 3, maxEditLength });
  if (patch === undefined)
    return `${change.target}: too different to show as a diff, ${before.length} characters before and ${after.length} after`;
  return patch.replace(/^=+\n/, '');
}
