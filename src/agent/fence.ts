/**
 * Marks text that came from outside, so that the model can tell data from instructions. The text cannot close its own
 * fence: every `<` that begins an opening or closing fence tag, in any case and with any white space or invisible
 * character in it, is escaped. There is no random marker, because prompts must be byte-identical.
 */
export function fenceUntrusted(text: string, source: string): string {
  const safeSource = source.replace(/[^\w.:/@ -]/gu, '_').slice(0, 200);
  return `<untrusted source="${safeSource}">\n${escapeFence(text)}\n</untrusted>`;
}

/** What a reader may overlook between two letters: white space, controls, format characters, marks, fillers. */
const between = String.raw`[\s\p{C}\p{M}\p{Default_Ignorable_Code_Point}/\u2800]*`;
const bracket = String.raw`[<\uff1c\ufe64\u2039\u3008]`;

/** Made when a text has a bracket: its classes cost 2 ms. Brackets that look like `<`, too. */
function fenceTag(): RegExp {
  return new RegExp(`${bracket}(?=${['', ...Array.from('untrusted')].join(between)})`, 'giu');
}

function escapeFence(text: string): string {
  return new RegExp(bracket).test(text) ? text.replace(fenceTag(), '&lt;') : text;
}
