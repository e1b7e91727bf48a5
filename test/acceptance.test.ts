import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { hasTest } from './documents/has-test.ts';
import { tableRows } from './documents/read-markdown.ts';

const root = path.join(import.meta.dirname, '..');

/** Rows end with the title of a test and the file that holds it. */
function unproven(document: string): string[] {
  const rows = tableRows(readFileSync(path.join(root, document), 'utf8'));
  assert.ok(rows.length > 0, `${document} has no table`);
  return rows.flatMap((row) => {
    const [title, file] = row.slice(-2);
    const full = path.join(root, file ?? '');
    return existsSync(full) && hasTest(full, title ?? '') ? [] : [`${document}: ${row[0]}: no test "${title}" in ${file}`];
  });
}

test('every requirement in docs/ACCEPTANCE.md names a test that exists', () => {
  assert.deepEqual(unproven('docs/ACCEPTANCE.md'), []);
});

test('every threat in docs/security/THREAT_MODEL.md names a test that exists', () => {
  assert.deepEqual(unproven('docs/security/THREAT_MODEL.md'), []);
});

test('docs/security/THREAT_MODEL.md covers the threats that a governed agent must answer', () => {
  const threats = new Set(tableRows(readFileSync(path.join(root, 'docs/security/THREAT_MODEL.md'), 'utf8')).map(([threat]) => threat));

  for (const threat of [
    'Prompt injection',
    'Persistence by mutation',
    'Path escape',
    'Supply chain',
    'Unauthenticated HTTP',
    'Thief of the ledger key',
  ]) {
    assert.ok(threats.has(threat), `${threat} is missing`);
  }
});

test('a title that is missing, skipped or only mentioned in a comment proves nothing', (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'acceptance-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'a.test.ts');
  writeFileSync(
    file,
    "// test('in a comment')\ntest.skip('skipped', () => {});\ntest('real', () => {});\ntest(`made of ${part} and more`, () => {});\n",
  );

  assert.deepEqual(
    ['in a comment', 'skipped', 'missing', 'real', 'made of this and more', 'made of'].map((title) => hasTest(file, title)),
    [false, false, false, true, true, false],
  );
});
