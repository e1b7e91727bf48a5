import assert from 'node:assert/strict';
import { test } from 'node:test';
import { escapeHidden, makeVisible, mixedScriptWarning } from './visible.ts';

const hostile: readonly [name: string, text: string, shown: string][] = [
  ['right-to-left override', 'gpj.\u202eexe', 'gpj.⟨U+202E⟩exe'],
  ['isolates', '\u2066a\u2069', '⟨U+2066⟩a⟨U+2069⟩'],
  ['terminal escape', '\u001b[2J', '⟨U+001B⟩[2J'],
  ['C1 control', '\u009b2J', '⟨U+009B⟩2J'],
  ['NUL and backspace', 'a\0b\b', 'a⟨U+0000⟩b⟨U+0008⟩'],
  ['carriage return over a line', 'rm -rf\rls', 'rm -rf⟨U+000D⟩ls'],
  ['line break', 'a\nb', 'a⟨U+000A⟩b'],
  ['line and paragraph separator', 'a\u2028b\u2029', 'a⟨U+2028⟩b⟨U+2029⟩'],
  ['zero-width space, joiner, BOM', 'a\u200bb\u200dc\ufeff', 'a⟨U+200B⟩b⟨U+200D⟩c⟨U+FEFF⟩'],
  ['tag characters', 'a\u{e0041}\u{e007f}', 'a⟨U+E0041⟩⟨U+E007F⟩'],
  ['variation selectors', 'a\ufe0f\u{e0100}', 'a⟨U+FE0F⟩⟨U+E0100⟩'],
  ['private use', '\ue000\u{f0000}', '⟨U+E000⟩⟨U+F0000⟩'],
  ['lone surrogates', '\ud800a\udc00', '⟨U+D800⟩a⟨U+DC00⟩'],
  ['not a character', '\uffff', '⟨U+FFFF⟩'],
  ['Hangul and Mongolian fillers', '\u3164\u115f\u180e', '⟨U+3164⟩⟨U+115F⟩⟨U+180E⟩'],
  ['other spaces and the braille blank', 'a\u00a0b\u3000c\u2800', 'a⟨U+00A0⟩b⟨U+3000⟩c⟨U+2800⟩'],
  ['soft hyphen and word joiner', 'a\u00adb\u2060', 'a⟨U+00AD⟩b⟨U+2060⟩'],
  ['interlinear annotation', '\ufff9a\ufffb', '⟨U+FFF9⟩a⟨U+FFFB⟩'],
];
for (const [name, text, shown] of hostile) {
  test(`${name} is shown`, () => {
    assert.equal(makeVisible(text), shown);
  });
}

test('ordinary text in any script, and whole emoji, stay as they are', () => {
  for (const text of ['hello, world ~', 'Grüße', 'привет', '日本語', 'שלום', '😀', 'e\u0301']) assert.equal(makeVisible(text), text);
});

test('a block keeps its lines and tabs and nothing else', () => {
  assert.equal(makeVisible('a\tb\nc\r', { keepLines: true }), 'a\tb\nc⟨U+000D⟩');
});

test('what is made visible stays as it is when it is made visible again', () => {
  for (const [, text] of hostile) assert.equal(makeVisible(makeVisible(text)), makeVisible(text));
});

test('a word of two alphabets is warned about, a sentence of two is not', () => {
  assert.match(mixedScriptWarning('https://p\u0430ypal.com') ?? '', /mixes Latin and Cyrillic/);
  assert.equal(mixedScriptWarning('paypal.com'), undefined);
  assert.equal(mixedScriptWarning('hello привет'), undefined);
});

test('a JSON text without hidden characters says the same', () => {
  const value = hostile.map(([, text]) => text);

  const escaped = escapeHidden(`${JSON.stringify(value)}\n`);

  assert.deepEqual(JSON.parse(escaped), value);
  assert.equal(makeVisible(escaped, { keepLines: true }), escaped);
});
