import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { clawholdConfig } from '../contracts/config.ts';
import { editYamlFile } from './edit-yaml-file.ts';
import { readYamlFile } from './read-yaml-file.ts';

function scratch(text: string | Buffer): string {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'yaml-')), 'clawhold.yaml');
  fs.writeFileSync(file, text);
  return file;
}

const good = 'version: 1\n# the model\nmodel: openai/gpt-4o-mini\nlimits:\n  turns: 5\n';

/** Ways in which a crash or a disk leaves a file. */
const damages: readonly (readonly [name: string, bytes: string | Buffer])[] = [
  ['empty', ''],
  ['zeros', Buffer.alloc(60)],
  ['cut in the middle of a line', good.slice(0, 30)],
  ['cut in the middle of a list', 'version: 1\nredaction:\n  patterns: [{name: a'],
  ['not UTF-8', Buffer.from([0x76, 0xff, 0xfe, 0x0a])],
  ['rubbish', '}{ : [ "\u0000'],
];
for (const [name, bytes] of damages) {
  test(`a file that is ${name} is restored from its last good version, and that is said`, async () => {
    const file = scratch(good);
    await readYamlFile(file, clawholdConfig);
    fs.writeFileSync(file, bytes);

    const read = await readYamlFile(file, clawholdConfig);

    assert.equal(read?.value.model, 'openai/gpt-4o-mini');
    assert.match(read.notice ?? '', /clawhold\.yaml was damaged .* restored from .*clawhold\.yaml\.bak; the damaged bytes are kept in/);
    assert.equal(fs.readFileSync(file, 'utf8'), good);
    assert.deepEqual(fs.readFileSync(`${file}.damaged`), Buffer.from(bytes));
    assert.equal((await readYamlFile(file, clawholdConfig))?.notice, undefined);
  });
}

test('a mistake of a human is reported and never overwritten, be it in a rule or in the syntax', async () => {
  for (const mistake of ['version: 1\nmodle: a/b\n', 'version: 1\nmodel: "a/b\nlimits:\n  turns: 1\n']) {
    const file = scratch(good);
    await readYamlFile(file, clawholdConfig);
    fs.writeFileSync(file, mistake);

    await assert.rejects(readYamlFile(file, clawholdConfig), { remedy: 'fix-request' });

    assert.equal(fs.readFileSync(file, 'utf8'), mistake);
  }
});

test('a damaged file without a backup is reported', async () => {
  await assert.rejects(readYamlFile(scratch('version: ['), clawholdConfig), { code: 'config.syntax' });
});

test('a damaged file with a damaged backup is reported, and both stay', async () => {
  const file = scratch('version: [');
  fs.writeFileSync(`${file}.bak`, '}{');

  await assert.rejects(readYamlFile(file, clawholdConfig), { code: 'config.damaged' });

  assert.equal(fs.readFileSync(file, 'utf8'), 'version: [');
});

test('a file that does not exist is undefined, also when a backup is there: somebody removed it', async () => {
  const file = scratch(good);
  await readYamlFile(file, clawholdConfig);
  fs.rmSync(file);

  assert.equal(await readYamlFile(file, clawholdConfig), undefined);
});

test('reading a good file changes nothing but its backup', async () => {
  const file = scratch(good);
  const before = fs.statSync(file);

  await readYamlFile(file, clawholdConfig);

  assert.equal(fs.statSync(file).mtimeMs, before.mtimeMs);
  assert.deepEqual(fs.readdirSync(path.dirname(file)).toSorted(), ['clawhold.yaml', 'clawhold.yaml.bak']);
});

test('an older version is written anew, and the old bytes are kept', async () => {
  const file = scratch('version: 1 # old\nname: x\n');
  const schema = z.strictObject({ version: z.literal(2), title: z.string() });
  const versions = {
    current: 2,
    migrations: {
      1: (yaml: { get(path: string[]): unknown; set(path: string[], value: unknown): void; remove(path: string[]): boolean }) => {
        yaml.set(['title'], yaml.get(['name']));
        yaml.remove(['name']);
      },
    },
  };

  const read = await readYamlFile(file, schema, { versions });

  assert.deepEqual(read?.value, { version: 2, title: 'x' });
  assert.match(read.notice ?? '', /from version 1 to the current one; the old file is kept as clawhold\.yaml\.v1/);
  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 2 # old\ntitle: x\n');
  assert.equal(fs.readFileSync(`${file}.v1`, 'utf8'), 'version: 1 # old\nname: x\n');
});

test('an edit keeps comments and order, and the bytes before become the backup', async () => {
  const file = scratch(good);

  const edit = await editYamlFile(file, clawholdConfig, (yaml) => yaml.set(['limits', 'usd'], 2));

  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 1\n# the model\nmodel: openai/gpt-4o-mini\nlimits:\n  turns: 5\n  usd: 2\n');
  assert.equal(fs.readFileSync(`${file}.bak`, 'utf8'), good);
  assert.notEqual(edit.before, edit.after);
});

test('load, save, load is equal, and saving without a change writes the same bytes', async () => {
  const file = scratch(`${good}# the end\n`);
  const first = await readYamlFile(file, clawholdConfig);

  const edit = await editYamlFile(file, clawholdConfig, (yaml) => yaml.set(['limits', 'turns'], 5));

  assert.deepEqual(edit.value, first?.value);
  assert.equal(edit.before, edit.after);
});

test('an edit that breaks the schema writes nothing', async () => {
  const file = scratch(good);

  await assert.rejects(
    editYamlFile(file, clawholdConfig, (yaml) => yaml.set(['limits', 'turns'], 'many')),
    { code: 'config.invalid' },
  );

  assert.equal(fs.readFileSync(file, 'utf8'), good);
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['clawhold.yaml']);
});

test('an edit makes a file that is missing, fills a mapping that is empty, and removes', async () => {
  const file = scratch('version: 1\nlimits:\n');
  await editYamlFile(file, clawholdConfig, (yaml) => yaml.set(['limits', 'turns'], 7));
  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 1\nlimits:\n  turns: 7\n');
  await editYamlFile(file, clawholdConfig, (yaml) => assert.equal(yaml.remove(['limits']), true));
  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 1\n');

  fs.rmSync(file);
  await editYamlFile(file, clawholdConfig, (yaml) => yaml.set(['model'], 'a/b'));
  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 1\nmodel: a/b\n');
});

test('an edit of a file that was changed at the same moment writes nothing', async () => {
  const file = scratch(good);

  await assert.rejects(
    editYamlFile(file, clawholdConfig, () => fs.writeFileSync(file, 'version: 1\n')),
    { code: 'state.file-changed', remedy: 'retry' },
  );

  assert.equal(fs.readFileSync(file, 'utf8'), 'version: 1\n');
});
