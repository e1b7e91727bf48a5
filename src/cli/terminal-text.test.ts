import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paletteFor } from './io.ts';
import { terminalText } from './terminal-text.ts';

test('colours pass, everything else that steers a terminal is shown', () => {
  const { red, bold, dim } = paletteFor(true);
  const honest = `${bold('a\tb')} ${red('c')}\n${dim('ü')}`;

  assert.equal(terminalText(honest), honest);
  assert.equal(terminalText(red('\u001b[2J\u009b8m\u202e')), red('⟨U+001B⟩[2J⟨U+009B⟩8m⟨U+202E⟩'));
  assert.equal(terminalText('\u001b[8mhidden\r'), '⟨U+001B⟩[8mhidden⟨U+000D⟩');
});
