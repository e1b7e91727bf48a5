import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { chooseTemplate } from '../../cli/make-agent.ts';
import { builtinPlatformPolicy, builtinTenantPolicy, policyTemplates } from '../../governance/policy-templates.ts';
import { lineOf } from './line-of.ts';
import { parseTree } from './parse-document.ts';
import { plainLineOf, readPlain, type Plain } from './read-plain.ts';

/** Every path of a tree, and one step beyond each. */
function pathsOf(node: Plain, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  const isList = Array.isArray(node.value);
  const beneath = [...(node.parts ?? [])].flatMap(([part, { node: inner }]) => pathsOf(inner, [...path, isList ? Number(part) : part]));
  return [path, [...path, 'missing'], [...path, 99], ...beneath];
}

/** @returns whether the text was plain. */
function agrees(text: string): boolean {
  const plain = readPlain(text);
  if (plain === undefined) return false;
  // Throws when the package, or our own rules, refuse the text.
  const tree = parseTree(text, 'f.yaml');
  assert.deepEqual(plain.value, tree.document.toJS({ maxAliasCount: 0 }), JSON.stringify(text));
  for (const path of pathsOf(plain)) assert.equal(plainLineOf(plain, path), lineOf(tree, path), JSON.stringify([text, path]));
  return true;
}

const shipped = [
  builtinPlatformPolicy,
  builtinTenantPolicy,
  ...Object.values(policyTemplates),
  ...['small-box', 'scribe', 'builder', 'scout'].map((name) => chooseTemplate(name).files['agent.yaml'] ?? ''),
];

for (const [index, text] of shipped.entries())
  test(`file ${index} that is shipped is plain, and read as the package reads it`, () => {
    assert.ok(agrees(text));
  });

const plainCases: Readonly<Record<string, unknown>> = {
  'a: 1\nb: 0.5\nc: true\n': { a: 1, b: 0.5, c: true },
  'a:\n- b\n-   c: 1\n    d: ../x\ne: .\n': { a: ['b', { c: 1, d: '../x' }], e: '.' },
  "a: it's a:b [c], {d} # e\n": { a: "it's a:b [c], {d}" },
  '- a\n# x\n\n- { b: [c d, "e,f"], g.h: \'i"j\' }   # k': ['a', { b: ['c d', 'e,f'], 'g.h': 'i"j' }],
  '  a:   # why\n     b: 1\n  c: []\n': { a: { b: 1 }, c: [] },
};
for (const [text, value] of Object.entries(plainCases))
  test(`${JSON.stringify(text)} is plain`, () => {
    assert.ok(agrees(text));
    assert.deepEqual(readPlain(text)?.value, value);
  });

const others = [
  '',
  '# only\n',
  'a:\n',
  'a: ~\n',
  'a: null\n',
  'a: True\n',
  'a: -1\n',
  'a: 1e3\n',
  'a: 0x1f\n',
  'a: 007\n',
  'a: 2024-01-01\n',
  'a: .5\n',
  'a: .inf\n',
  'a: |\n  text\n',
  'a: b\n  c\n',
  'a: "b\\n"\n',
  "a: 'b''c'\n",
  'a: &x 1\n',
  'a: *x\n',
  'a: !t b\n',
  '<<: 1\n',
  '__proto__: 1\n',
  'a: { __proto__: 1 }\n',
  'a: 1\na: 2\n',
  'a: { b: 1, b: 2 }\n',
  'a: [1,2]\n',
  'a: [b: c]\n',
  'a: {b}\n',
  'a: [b, ]\n',
  'a: [b\n',
  '---\na: 1\n',
  'a: 1\n...\n',
  '%YAML 1.2\n',
  'a:\tb\n',
  'a: 1\r\n',
  'a: 1\n b: 2\n',
  'a:\n   b: 1\n  c: 2\n',
  '- a\nb: 1\n',
  'a: b: c\n',
  'a: b:\n',
  'é: 1\n',
  'a: é\n',
  '? a\n',
  '1: a\n',
  'true: a\n',
  'a: ]\n',
  'a: @b\n',
  'a: `b\n',
  'a: "b" c\n',
  'a: "b"#c\n',
  '- - a\n',
  '-\n',
  'text\n',
  '"a": 1\n',
  '\ufeffa: 1\n',
  `a: ${'['.repeat(100)}${']'.repeat(100)}\n`,
];
for (const text of others)
  test(`${JSON.stringify(text.slice(0, 40))} is more than plain, or wrong`, () => {
    assert.equal(readPlain(text), undefined);
  });

const word = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'key',
    'fs.read',
    'version',
    'true',
    'null',
    'Null',
    'y',
    'no',
    '1',
    '0',
    '01',
    '1.5',
    '1.',
    '.5',
    '-1',
    '+1',
    '1e3',
    '0o7',
    '0x1',
    '.',
    '..',
    './a',
    '../b',
    '.inf',
    '.NaN',
    'a:b',
    'a#b',
    '2024-01-01',
    '12:30',
    '__proto__',
    '<<',
    '~',
    '-',
    '--',
    '?',
    '|',
    '>',
    '&a',
    '*a',
    '!a',
    '%a',
    '@a',
    '`a',
    "it's",
    '"',
    "'",
  ),
  fc.stringMatching(/^[ -~]{0,6}$/),
);
const sign = fc.constantFrom(
  ' ',
  '  ',
  '\n',
  '\n',
  '\n  ',
  '\n    ',
  '\n ',
  ': ',
  ': ',
  ':',
  '- ',
  '- ',
  '-',
  ', ',
  ',',
  '[',
  ']',
  '{ ',
  ' }',
  '{',
  '}',
  '"',
  "'",
  '# c',
  ' # c',
  '#',
  '\n\n',
  '\n# c\n',
  '\n  # c\n',
  '\t',
  '\n---\n',
  '\n...\n',
);
const soup = fc.array(fc.oneof(word, sign), { maxLength: 24 }).map((parts) => parts.join(''));

test('a text that is plain is read as the package reads it, whatever it is made of', () => {
  fc.assert(
    fc.property(soup, (text) => void agrees(text)),
    { numRuns: 10_000 },
  );
});

const written = fc.oneof(
  word,
  fc.constantFrom(
    '',
    ' # c',
    '[a, b]',
    '[]',
    '{}',
    '{ a: 1, b: [c d] }',
    '"a b"',
    "'c: d'",
    '-c',
    'npm run -s',
    'a, b',
    'x # c',
    'true # c',
    '[a, -c]',
    '{ a: b',
  ),
);
const line = fc
  .record({
    indent: fc.constantFrom('', '', '', '  ', '  ', '    ', ' ', '      '),
    start: fc.constantFrom('', '', '', '- ', '-  '),
    key: fc.constantFrom('a: ', 'b: ', 'c:  ', 'd: ', 'e:', 'f.g: ', 'h:', '', 'null: ', '# '),
    text: written,
  })
  .map(({ indent, start, key, text }) => `${indent}${start}${key}${text}`);

test('lines in any order and column are read as the package reads them', () => {
  let plain = 0;
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), (lines) => void (plain += Number(agrees(`${lines.join('\n')}\n`)))),
    {
      numRuns: 20_000,
    },
  );

  assert.ok(plain > 1000, `${plain} of the texts were plain`);
});

test('shipped files, changed in one place, are read as the package reads them', () => {
  let plain = 0;
  const change = fc.record({
    file: fc.nat(shipped.length - 1),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(6),
    add: fc.oneof(fc.constant(''), sign, word),
  });
  fc.assert(
    fc.property(change, ({ file, at, cut, add }) => {
      const text = shipped[file] ?? '';
      const from = Math.floor(at * text.length);
      plain += Number(agrees(text.slice(0, from) + add + text.slice(from + cut)));
    }),
    { numRuns: 4000 },
  );

  assert.ok(plain > 500, `${plain} of the texts were plain`);
});

const leaf = fc.oneof(fc.boolean(), fc.nat(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constant(null), word);
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom('a', 'b', 'paths', 'fs.read', 'args', 'match'), word), tie('tree'), { maxKeys: 5 }),
  ),
}));
const style = fc.record({
  indent: fc.constantFrom(2, 3, 4),
  indentSeq: fc.boolean(),
  collectionStyle: fc.constantFrom('any', 'block', 'flow'),
  lineWidth: fc.constantFrom(0, 40),
});

test('what is written in any style, and then changed in one place, is read as the package reads it', () => {
  let plain = 0;
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.constantFrom(0, 0, 1, 2),
    add: fc.oneof(fc.constant(''), sign, word),
  });
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'c', 'version'), tree, { minKeys: 1 }),
      style,
      change,
      (value, options, { at, cut, add }) => {
        const text = stringify(value, { ...options, collectionStyle: options.collectionStyle as 'any', aliasDuplicateObjects: false });
        plain += Number(agrees(text));
        const from = Math.floor(at * text.length);
        plain += Number(agrees(text.slice(0, from) + add + text.slice(from + cut)));
      },
    ),
    { numRuns: 3000 },
  );

  assert.ok(plain > 50, `${plain} of the texts were plain`);
});
