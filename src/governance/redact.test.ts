import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FixRequestError } from '../contracts/errors.ts';
import { createRedactor, marker, type Redactor, type RedactorOptions } from './redact.ts';
import { looksHarmless, plantedSecrets } from './redact/planted.ts';

const held = 'correct-horse-7-battery';
const spaced = 'open sesame\tnow 42';
const multiLine = 'first line of the secret file\nsecond line of the secret file\nthe third and last line of it';

function redactor(options: Partial<RedactorOptions> = {}): Redactor {
  return createRedactor({ secrets: [], patterns: [], ...options });
}

const full: RedactorOptions = {
  secrets: [
    { name: 'HELD', value: held },
    { name: 'SPACED', value: spaced },
    { name: 'FILE', value: multiLine },
  ],
  patterns: [],
};
const withPattern: RedactorOptions = { ...full, patterns: [{ name: 'ticket', regex: 'ACME[ -][0-9][0-9]+' }] };

for (const { name, text, secret, rule } of plantedSecrets) {
  test(`a planted ${name} is hidden`, () => {
    const shown = redactor().text(text);

    assert.ok(!shown.includes(secret), shown);
    assert.ok(shown.includes(marker(rule)), shown);
  });
}

for (const [name, text] of looksHarmless) {
  test(`${name} survives`, () => {
    assert.equal(redactor().text(text), text);
  });
}

const bytes = Buffer.from(held);
const spellings: readonly (readonly [name: string, text: string])[] = [
  ['plain', held],
  ['inside a word', `xx${held}yy`],
  ['base 64', bytes.toString('base64')],
  ['base 64 after one byte', Buffer.from(`a${held}`).toString('base64')],
  ['base 64 after two bytes', Buffer.from(`ab${held}`).toString('base64')],
  ['base 64 within more', Buffer.from(`user:${held}@host and more`).toString('base64')],
  ['base 64 for URLs', bytes.toString('base64url')],
  ['hexadecimal', bytes.toString('hex')],
  ['upper-case hexadecimal', bytes.toString('hex').toUpperCase()],
];
for (const [name, text] of spellings) {
  test(`a held secret is hidden in this spelling: ${name}`, () => {
    const shown = redactor(full).text(`before ${text} after`);

    assert.ok(shown.includes('[redacted:HELD]'), shown);
    assert.ok(!shown.includes(text.slice(4, 24)), shown);
  });
}

test('a held secret with odd letters is hidden in URL, JSON and doubly escaped JSON spelling', () => {
  const value = 'p@ss/w"rd\\ü & more';
  const hide = redactor({ secrets: [{ name: 'ODD', value }] });
  const json = JSON.stringify({ value });

  for (const spelled of [
    encodeURIComponent(value),
    encodeURIComponent(value).toLowerCase(),
    encodeURIComponent(value).replaceAll('%20', '+'),
    json,
    JSON.stringify(json),
  ]) {
    assert.ok(hide.text(spelled).includes('[redacted:ODD]'), spelled);
    assert.ok(!hide.text(spelled).includes('more'), hide.text(spelled));
  }
});

test('one line of a held multi-line secret is hidden alone', () => {
  assert.equal(redactor(full).text('2: second line of the secret file'), '2: [redacted:FILE]');
});

test('a held secret shorter than eight letters is not looked for', () => {
  assert.equal(redactor({ secrets: [{ name: 'PIN', value: 'the' }] }).text('the end'), 'the end');
});

test('sabotage: without the held secret its value passes', () => {
  assert.equal(redactor().text(`before ${held} after`), `before ${held} after`);
});

test('a custom pattern hides its whole match', () => {
  assert.equal(redactor(withPattern).text('see ACME 123 and ACME-77.'), 'see [redacted:ticket] and [redacted:ticket].');
});

for (const [regex, why] of [
  ['(', 'invalid'],
  ['(?<=x)y', 'look-behind'],
  ['(a)\\1', 'a back-reference'],
  ['a*', 'an empty match'],
  ['a'.repeat(501), 'too long'],
] as const) {
  test(`a custom pattern is refused: ${why}`, () => {
    assert.throws(
      () => redactor({ patterns: [{ name: 'mine', regex }] }),
      (thrown) => thrown instanceof FixRequestError && thrown.code === 'governance.bad-pattern' && thrown.message.includes('mine'),
    );
  });
}

test('a custom pattern that would need exponential time elsewhere ends, and still hides', () => {
  const hide = redactor({ patterns: [{ name: 'evil', regex: '(a+)+b' }] });

  assert.equal(hide.text('a'.repeat(20_000)), 'a'.repeat(20_000));
  assert.equal(hide.text('aaab'), '[redacted:evil]');
});

test('a custom pattern that feeds on what it leaves hides the rest instead of working for ever', () => {
  const shown = redactor({ patterns: [{ name: 'head', regex: '^x' }] }).text(`${'x'.repeat(1000)}\nnext`);

  assert.ok(shown.endsWith('[redacted:unsettled]\nnext'), shown.slice(-60));
});

test('objects are redacted deep, keys too, and colliding keys stay apart', () => {
  const other = 'abcd1234efgh';
  const shown = redactor(full).json({
    list: [held, 1, null, { [held]: true, [marker('HELD')]: false }],
    token: other,
    __proto__: 'x',
  });

  assert.deepEqual(shown, {
    list: ['[redacted:HELD]', 1, null, { '[redacted:HELD]': true, '[redacted:HELD]#2': false }],
    token: '[redacted:field]',
    __proto__: 'x',
  });
});

test('a field whose name is that of a secret is hidden, others are not', () => {
  const shown = redactor().json({
    password: 'swordfish',
    apiKey: 'abcd1234',
    token: 'fs.read',
    PATH: '/bin',
    nested: { DB_PASSWORD: 'x7' },
  });

  assert.deepEqual(shown, {
    password: '[redacted:field]',
    apiKey: '[redacted:field]',
    token: 'fs.read',
    PATH: '/bin',
    nested: { DB_PASSWORD: '[redacted:field]' },
  });
});

test('a value of 5,000 letters is hidden to its end', () => {
  assert.equal(redactor().text(`API_KEY=${'a1'.repeat(2500)} x`), 'API_KEY=[redacted:assignment] x');
});

test('a name that follows another one as its value is seen', () => {
  assert.equal(redactor().text('env: DB_PASSWORD: swordfish'), 'env: DB_PASSWORD: [redacted:assignment]');
});

test('a secret does not hide as the name of a marker', () => {
  assert.equal(redactor(full).text(`[redacted:${held}]`), '[redacted:[redacted:HELD]]');
});

test('a secret does not hide as what only looks like the name of a marker', () => {
  const named = redactor({ secrets: [{ name: 'correct.horse.7.battery', value: held }] });

  assert.equal(named.text('[redacted:correct.horse.7.battery]'), '[redacted:correct.horse.7.battery]');
  assert.equal(named.text(`[redacted:${held}]`), '[redacted:[redacted:correct.horse.7.battery]]');
});

test('the text of a JSON document is redacted by what it says and stays JSON', () => {
  const hide = redactor(full);
  const escaped = Array.from(held, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

  assert.equal(hide.jsonText(`{"path": "a.md",  "content": "${escaped}"}`), '{"path":"a.md","content":"[redacted:HELD]"}');
  assert.equal(hide.jsonText(`{"content": "${held}", "content": "x"}`), '{"content":"x"}');
  assert.deepEqual(JSON.parse(hide.jsonText(JSON.stringify({ content: "API_KEY='abc and no end" }))), {
    content: "API_KEY='[redacted:assignment]",
  });
  assert.equal(hide.jsonText('{"path":  "a.md"}'), '{"path":  "a.md"}');
  assert.equal(hide.jsonText(`{"path": ${held}`), '{"path": [redacted:HELD]');
});

/** Pieces that meet badly: secrets, their parts, what introduces them, and every kind of gap. */
const piece = fc.oneof(
  fc.constantFrom(held, spaced, multiLine, held.slice(0, 9), held.slice(9), spaced.slice(0, 6), spaced.slice(6), ...multiLine.split('\n')),
  fc.constantFrom(...plantedSecrets.map(({ text }) => text), ...plantedSecrets.map(({ secret }) => secret)),
  fc.constantFrom(
    ' ',
    ' ',
    '\n',
    '\t',
    '\r\n',
    '"',
    "'",
    '=',
    ': ',
    '-',
    '_',
    '.',
    ',',
    '\\',
    '\\"',
    '\\n',
    '@',
    '://',
    '[redacted:x]',
    '[redacted:',
    ']',
  ),
  fc.constantFrom(
    'API_KEY',
    'API_KEY = ',
    'password: "',
    'Bearer ',
    'basic',
    'the word',
    'key',
    'ACME',
    'ACME 12',
    'eyJ',
    'sk-',
    'AKIA',
    'token=',
  ),
  fc.constantFrom(
    '-----BEGIN',
    ' RSA PRIVATE KEY-----',
    // not-a-secret: planted for this test
    '-----BEGIN PRIVATE KEY-----\n',
    'MIIEowIBAAKCAQEAx0123456789abcdef\n',
    '-----END PRIVATE KEY-----',
    'Version: GnuPG v2.0 (x)\n',
  ),
  fc.string({ maxLength: 12 }),
);
const messy = fc.array(piece, { maxLength: 14 }).map((parts) => parts.join(''));
const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 30 });

function streamed(hide: Redactor, text: string, at: readonly number[]): string {
  const shown: string[] = [];
  const stream = hide.stream((part) => shown.push(part));
  const bounds = [...new Set([0, ...at.filter((each) => each < text.length), text.length])].toSorted((a, b) => a - b);
  for (const [index, start] of bounds.entries()) stream.push(text.slice(start, bounds[index + 1] ?? text.length));
  stream.flush();
  return shown.join('');
}

for (const [name, options] of [
  ['without custom patterns', full],
  ['with a custom pattern', withPattern],
] as const) {
  test(`redacting twice is redacting once (${name})`, () => {
    const hide = createRedactor(options);

    fc.assert(
      fc.property(messy, (text) => {
        const once = hide.text(text);
        assert.equal(hide.text(once), once);
      }),
      { numRuns: 3000 },
    );
  });

  test(`a key that begins right behind another secret is hidden in a stream too (${name})`, () => {
    const hide = createRedactor(options);
    const text = `-----BEGIN PRIVATE KEY-----\n${held}-----BEGIN PRIVATE KEY-----\nVersion: GnuPG v2.0 (x)\nMIIEowIBAAKCAQEAx0123456789abcdef\n`; // not-a-secret: made up

    assert.equal(streamed(hide, text, []), hide.text(text));
    assert.ok(!hide.text(text).includes('MIIEow'));
  });

  test(`the parts of a stream join to the redacted whole, however it was split (${name})`, () => {
    const hide = createRedactor(options);

    fc.assert(
      fc.property(messy, cuts, (text, at) => {
        assert.equal(streamed(hide, text, at), hide.text(text));
        assert.equal(
          streamed(
            hide,
            text,
            Array.from({ length: text.length }, (_, index) => index),
          ),
          hide.text(text),
        );
      }),
      { numRuns: 3000 },
    );
  });

  test(`no held secret is left in any text or stream (${name})`, () => {
    const hide = createRedactor(options);

    fc.assert(
      fc.property(messy, fc.constantFrom(held, spaced), messy, (before, secret, after) => {
        assert.ok(!hide.text(before + secret + after).includes(secret));
      }),
      { numRuns: 2000 },
    );
  });
}

test('a stream shows words as they come where nothing can become a secret', () => {
  const shown: string[] = [];
  const stream = redactor(full).stream((part) => shown.push(part));

  for (const word of ['The ', 'quick ', 'brown ', 'fox']) stream.push(word);

  assert.deepEqual(shown, ['The ', 'quick ', 'brown ']);
});

test('a MiB of text made to slow a rule down is redacted in one go', () => {
  const hide = createRedactor(full);
  const units = [
    'sk-',
    'eyJ-',
    'a-',
    'AKIA',
    'API_KEY ',
    'x://',
    // not-a-secret: planted for this test
    '-----BEGIN PRIVATE KEY-----',
    // not-a-secret: planted for this test
    '-----BEGIN PRIVATE KEY-----\nA',
    'key=',
    '"password": ',
    'Bearer a',
    held.slice(0, 12),
    '\\"',
    'a.',
  ];

  for (const unit of units) {
    // A rule that is quadratic would hold this test for minutes.
    const text = unit.repeat(Math.ceil(1_048_576 / unit.length));
    assert.equal(typeof hide.text(text), 'string');
    const stream = hide.stream(() => undefined);
    for (let at = 0; at < text.length / 4; at += 64) stream.push(text.slice(at, at + 64));
    stream.flush();
  }
});

test('a document nested so deep that nobody can walk it is hidden as a whole', () => {
  const hide = redactor({});
  const nest = (depth: number): string => `${'['.repeat(depth)}"ghp_${'a1B2'.repeat(9)}"${']'.repeat(depth)}`;

  for (const depth of [101, 200_000]) assert.equal(hide.jsonText(nest(depth)), '"[redacted:unsettled]"');
  assert.equal(hide.json(JSON.parse(nest(20_000))), '[redacted:unsettled]');
  assert.match(hide.jsonText(nest(100)), /^\[{100}"\[redacted:[^u]/);
});
