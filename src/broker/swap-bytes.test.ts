import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createByteSwap, swapText } from './swap-bytes.ts';

const pairs = [
  ['secret-value', 'TOKEN'],
  ['secret-value-long', 'LONG'],
  ['c2VjcmV0', 'BASE'],
] as const;

function inParts(text: string, cuts: readonly number[]): string {
  const swap = createByteSwap(pairs);
  const bytes = Buffer.from(text, 'latin1');
  const parts: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
    parts.push(swap.push(bytes.subarray(from, cut)));
    from = cut;
  }
  return Buffer.concat([...parts, swap.flush()]).toString('latin1');
}

test('parts join to what the whole gives, wherever it is split', () => {
  const piece = fc.constantFrom('secret-value', 'secret-value-long', 'c2VjcmV0', 'secret-', 'value', 's', '-long', '\u00ff', 'x');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(), { maxLength: 12 }), (pieces, cuts) => {
      const text = pieces.join('');
      const whole = inParts(text, []);
      assert.equal(inParts(text, cuts), whole);
      assert.ok(pairs.every(([find]) => !inParts(text, cuts).includes(find)) || whole === inParts(text, cuts));
    }),
    { numRuns: 2000 },
  );
});

test('a find split byte by byte never shows', () => {
  const text = 'a secret-value-long b c2VjcmV0 c';

  assert.equal(
    inParts(
      text,
      Array.from(text, (_, index) => index),
    ),
    'a LONG b BASE c',
  );
});

test('what cannot become a find is not held back', () => {
  const swap = createByteSwap(pairs);

  assert.equal(swap.push(Buffer.from('data: 1\n\n')).toString(), 'data: 1\n\n');
  assert.equal(swap.push(Buffer.from('data: secret-va')).toString(), 'data: ');
  assert.equal(swap.push(Buffer.from('lue\n')).toString(), 'TOKEN\n');
});

test('text outside ASCII stays as it is', () => {
  assert.equal(swapText('größe secret-value ✓', pairs), 'größe TOKEN ✓');
});

/** At each place the longest find that stands there, by nothing but comparing letters. */
function swapLetters(text: string, puts: ReadonlyMap<string, string>): string {
  const finds = [...puts.keys()].toSorted((a, b) => b.length - a.length);
  let done = '';
  for (let at = 0; at < text.length;) {
    const find = finds.find((one) => text.startsWith(one, at));
    done += find === undefined ? text[at] : puts.get(find);
    at += find?.length ?? 1;
  }
  return done;
}

test('a find is its letters and no pattern, whichever of the 256 bytes it holds', () => {
  const letter = fc.oneof(
    fc.nat(255).map((code) => String.fromCharCode(code)),
    fc.constantFrom(...'$()*+./?[]^{|}\\-,#&!%:;<=>@`~ \n\u00a0aAdsw09'.split('')),
  );
  const find = fc.string({ unit: letter, minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(find, { minLength: 1, maxLength: 4 }), fc.array(fc.oneof(find, fc.nat(3)), { maxLength: 8 }), (finds, pieces) => {
      const puts = new Map(finds.map((one, n) => [one, `<${n}>`]));
      const text = pieces.map((piece) => (typeof piece === 'number' ? (finds[piece] ?? '') : piece)).join('');
      const swap = createByteSwap([...puts]);
      const swapped = Buffer.concat([swap.push(Buffer.from(text, 'latin1')), swap.flush()]).toString('latin1');

      assert.equal(swapped, swapLetters(text, puts));
      assert.equal(swapText(text, [...puts]), swapLetters(text, puts));
    }),
    { numRuns: 2000 },
  );
});
