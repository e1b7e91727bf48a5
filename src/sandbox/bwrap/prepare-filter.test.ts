import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { prepareFilter } from './prepare-filter.ts';

test('a filter is a file of its own content: another one stands beside it, and one that was changed is put right', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'filter-'));
  t.after(() => rmSync(folder, { recursive: true }));

  const strict = await prepareFilter(folder, Buffer.from('strict'));
  const loose = await prepareFilter(folder, Buffer.from('loose'));
  rmSync(strict);
  writeFileSync(strict, 'tampered');
  const again = await prepareFilter(folder, Buffer.from('strict'));

  assert.notEqual(strict, loose);
  assert.deepEqual([again, readFileSync(strict, 'utf8'), readFileSync(loose, 'utf8')], [strict, 'strict', 'loose']);
  assert.equal(statSync(strict).mode & 0o777, 0o400);
  assert.equal(readdirSync(folder).length, 2);
});
