import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { agentConfig, clawholdConfig, llmConfig, policyFile } from '../contracts/config.ts';
import { InvalidFileError, parseYaml } from './yaml-file.ts';

function violationsOf(
  text: string,
  schema: z.ZodMiniType = clawholdConfig,
): readonly (readonly [line: number, path: string, message: string])[] {
  try {
    parseYaml(text, schema, 'f.yaml');
  } catch (error) {
    assert.ok(error instanceof InvalidFileError, String(error));
    assert.equal(error.remedy, 'fix-request');
    return error.violations.map(({ line, path, message }) => [line, path, message]);
  }
  return [];
}

test('a file becomes a typed value that knows the lines of its fields', () => {
  const text = '# a comment\nversion: 1\nlimits:\n  turns: 3\n  usd: 0.5\n';

  const { value, lineOf } = parseYaml(text, clawholdConfig, 'f.yaml');

  assert.equal(value.limits?.turns, 3);
  assert.deepEqual([lineOf(['version']), lineOf(['limits', 'usd']), lineOf(['limits', 'missing']), lineOf(['missing'])], [2, 5, 3, 2]);
});

test('lines of list entries are known', () => {
  const text = 'version: 1\nrules:\n  - id: a\n    deny: "*"\n  - id: b\n    allow: fs.read\n';

  const { lineOf } = parseYaml(text, policyFile, 'policy.yaml');

  assert.deepEqual([lineOf(['rules', 0]), lineOf(['rules', 1]), lineOf(['rules', 1, 'allow'])], [3, 5, 6]);
});

test('JSON is read too, with tabs and on several lines', () => {
  assert.equal(parseYaml('{\n\t"version": 1,\n\t"model": "openai/x"\n}\n', clawholdConfig, 'f.json').value.model, 'openai/x');
});

for (const empty of ['', '\n', '# only a comment\n', '---\n', '{}']) {
  test(`an empty file (${JSON.stringify(empty)}) is valid or says that the version is missing`, () => {
    if (empty === '{}') assert.match(violationsOf(empty)[0]?.[2] ?? '', /^must be 1$/);
    else assert.deepEqual(parseYaml(empty, clawholdConfig, 'f').value, { version: 1 });
  });
}

test('three errors are three violations, each with its line, its path and what is allowed, in one sentence list', () => {
  const text = 'version: 1\nmodel: nonsense\nlimits:\n  turns: 0\n  colour: red\n';

  assert.deepEqual(
    violationsOf(text).toSorted((a, b) => a[0] - b[0]),
    [
      [2, 'model', 'must be PROVIDER/MODEL, for example openai/gpt-4o-mini'],
      [4, 'limits.turns', 'must be more than 0'],
      [5, 'limits.colour', 'is not a known field; allowed here: turns, seconds, toolCalls, tokens, usd'],
    ],
  );
  assert.throws(
    () => parseYaml(text, clawholdConfig, 'f.yaml'),
    /f\.yaml has 3 violations; nothing of it is used:\n {2}f\.yaml:\d.*\n.*\n.*\nCorrect the file/,
  );
});

/** What is written, where it is wrong, and how that is said. */
const wrongs: readonly (readonly [text: string, schema: z.ZodMiniType, line: number, path: string, message: RegExp])[] = [
  ['version: 1\nlimits: 3\n', clawholdConfig, 2, 'limits', /^must be a mapping, not 3$/],
  ['version: 1\nlimits:\n', clawholdConfig, 2, 'limits', /^must be a mapping, not empty$/],
  ['version: one\n', clawholdConfig, 1, 'version', /^must be 1$/],
  ['version: 1\nredaction:\n  patterns:\n    - name: a\n', clawholdConfig, 4, 'redaction.patterns[0].regex', /^is required: text$/],
  ['version: 1\nflow: loose\n', policyFile, 2, 'flow', /^must be "labels" or "strict"$/],
  ['version: 1\nrules:\n  - id: a\n    allow: x\n    deny: y\n', policyFile, 3, 'rules[0]', /exactly one of allow, ask and deny/],
  ['version: 1\nproviders:\n  open ai: {wire: openai}\n', llmConfig, 3, 'providers.open ai', /lower-case letter/],
  [
    'version: 1\nproviders:\n  openai: {wire: openai, key: sk-abc}\n',
    llmConfig,
    3,
    'providers.openai.key',
    /allowed here: wire, baseUrl, keyEnv, script/,
  ],
  ['version: 1\ngrants:\n  fs.read: yes please\n', agentConfig, 3, 'grants.fs.read', /none of the forms/],
  ['version: 1\ngrants:\n  fs.read:\n    pahts: ["**"]\n', agentConfig, 4, 'grants.fs.read.pahts', /allowed here: paths, hosts/],
  ['version: 1\ngrants:\n  fs.read:\n    - paths: "**"\n', agentConfig, 4, 'grants.fs.read[0].paths', /^must be a list, not text$/],
  ['- 1\n', clawholdConfig, 1, '', /^must be a mapping, not a list$/],
  ['just words\n', clawholdConfig, 1, '', /^must be a mapping, not text$/],
];
for (const [text, schema, line, path, message] of wrongs) {
  test(`${JSON.stringify(text)} is refused at line ${line}, ${path}`, () => {
    const violations = violationsOf(text, schema);
    assert.ok(
      violations.some((violation) => violation[0] === line && violation[1] === path && message.test(violation[2])),
      JSON.stringify(violations),
    );
  });
}

test('a secret that was written where it does not belong is not repeated in the message', () => {
  const said = JSON.stringify(violationsOf('version: 1\nproviders:\n  openai: {wire: openai, keyEnv: sk-very-secret}\n', llmConfig));

  assert.match(said, /NAME of an environment variable/);
  assert.doesNotMatch(said, /very-secret/);
});

/** Constructs of YAML that hide what a rule says, or break a reader. */
const forbidden: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  ['a key twice', 'version: 1\nmodel: a/b\nmodel: c/d\n', /same key/],
  ['an anchor', 'version: 1\nmodel: &m a/b\n', /anchor &m is not allowed/],
  ['an alias', 'version: 1\nmodel: &m a/b\nlimits: *m\n', /alias \*m is not allowed/],
  [
    'an alias bomb',
    `a: &a [x]\n${'bcdefghij'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[index]}`).join(', ')}]`)
      .join('\n')}\n`,
    /not allowed/,
  ],
  ['a tag', 'version: 1\nmodel: !!js/function "x"\n', /tag/],
  ['a custom tag', 'version: 1\nmodel: !secret x\n', /tag/],
  ['two documents', 'version: 1\n---\nversion: 1\n', /second document/],
  ['a number as a key', 'version: 1\n7: x\n', /must be text/],
  ['a mapping as a key', 'version: 1\n? {a: 1}\n: x\n', /plain text/],
  ['__proto__', 'version: 1\n__proto__: {polluted: true}\n', /__proto__ is not allowed/],
  ['a text that is no YAML', 'version: 1\nmodel: [\n', /not valid YAML/],
  ['too many brackets', '['.repeat(200_000), /YAML/],
  ['too many bytes', `# ${'x'.repeat(1024 * 1024)}\n`, /at most 1048576 are allowed/],
];
for (const [name, text, message] of forbidden) {
  test(`${name} is refused`, () => {
    assert.ok(
      violationsOf(text).some((violation) => message.test(violation[2])),
      JSON.stringify(violationsOf(text)),
    );
  });
}

test('a version that is newer than known is refused, and an older one is migrated in memory', () => {
  const versions = {
    current: 3,
    migrations: {
      1: (file: { set(path: string[], value: unknown): void }) => file.set(['model'], 'a/one'),
      2: (file: { remove(path: string[]): boolean }) => void file.remove(['old']),
    },
  };
  const schema = z.strictObject({ version: z.literal(3), model: z.string() });

  const parsed = parseYaml('# kept\nversion: 1\nold: x\n', schema, { file: 'f', versions });

  assert.deepEqual(parsed.value, { version: 3, model: 'a/one' });
  assert.equal(parsed.migratedFrom, 1);
  assert.equal(parsed.text, '# kept\nversion: 3\nmodel: a/one\n');
  assert.throws(() => parseYaml('version: 4\nnew: 1\n', schema, { file: 'f', versions }), { code: 'config.newer' });
  assert.throws(() => parseYaml('version: 2\n', clawholdConfig, 'f'), { code: 'config.newer' });
});
