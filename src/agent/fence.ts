/**
 * Marks text that came from outside, so that the model can tell data from instructions. The text cannot close its own
 * fence: every `<` that begins an opening or closing fence tag, in any case and with any white space, is escaped. There
 * is no random marker, because prompts must be byte-identical.
 */
export function fenceUntrusted(text: string, source: string): string {
  const safeSource = source.replace(/[^\w.:/@ -]/gu, '_').slice(0, 200);
  return `<untrusted source="${safeSource}">\n${escapeFence(text)}\n</untrusted>`;
}

function escapeFence(text: string): string {
  return text.replace(/<(?=[\s\p{Cf}/]*u[\p{Cf}]*n[\p{Cf}]*t[\p{Cf}]*r[\p{Cf}]*u[\p{Cf}]*s[\p{Cf}]*t[\p{Cf}]*e[\p{Cf}]*d)/giu, '&lt;');
}
