import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic, type WriteStep } from './atomic-file.ts';
import { runChild } from '../../test/run-child.ts';

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
}

for (const step of ['write', 'sync', 'backup', 'rename', 'sync-folder'] as const satisfies WriteStep[]) {
  test(`a process that dies before the step "${step}" leaves the old or the new bytes, whole`, async () => {
    const file = path.join(scratch(), 'file');
    fs.writeFileSync(file, 'old');

    const died = await runChild(
      `import { writeFileAtomic } from ${JSON.stringify(path.join(import.meta.dirname, 'atomic-file.ts'))};
       await writeFileAtomic(${JSON.stringify(file)}, 'new', { keepBackup: true, beforeStep: (step) => step === '${step}' && process.kill(process.pid, 'SIGKILL') });`,
    );

    assert.equal(died.signal, 'SIGKILL');
    assert.equal(fs.readFileSync(file, 'utf8'), step === 'sync-folder' ? 'new' : 'old');
    if (step === 'rename' || step === 'sync-folder') assert.equal(fs.readFileSync(`${file}.bak`, 'utf8'), 'old');
  });

  test(`a step "${step}" that fails leaves no temp`, async () => {
    const dir = scratch();
    const file = path.join(dir, 'file');
    fs.writeFileSync(file, 'old');
    const beforeStep = (now: WriteStep): void => {
      if (now === step) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    };

    await assert.rejects(writeFileAtomic(file, 'new', { keepBackup: true, beforeStep }), {
      code: 'state.not-writable',
      message: /no space/,
    });

    assert.deepEqual(
      fs.readdirSync(dir).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });
}

test('the mode of the replaced file stays, and a new file is for its owner alone', async () => {
  const dir = scratch();
  fs.writeFileSync(path.join(dir, 'old'), '');
  fs.chmodSync(path.join(dir, 'old'), 0o664);

  await writeFileAtomic(path.join(dir, 'old'), 'x');
  await writeFileAtomic(path.join(dir, 'new'), 'x');

  assert.equal(fs.statSync(path.join(dir, 'old')).mode & 0o777, 0o664);
  assert.equal(fs.statSync(path.join(dir, 'new')).mode & 0o777, 0o600);
});

test('the backup holds the bytes before the last write', async () => {
  const file = path.join(scratch(), 'file');

  await writeFileAtomic(file, 'one', { keepBackup: true });
  await writeFileAtomic(file, 'two', { keepBackup: true });
  await writeFileAtomic(file, 'three', { keepBackup: true });

  assert.equal(fs.readFileSync(`${file}.bak`, 'utf8'), 'two');
});
