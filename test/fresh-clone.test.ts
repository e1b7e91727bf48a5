import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextCommands, readmeCommands, tryFreshClone } from '../build/fresh-clone.ts';

test('in a fresh clone npm start shows an agent at work, and the three commands it names work as printed and leave no dirt', () => {
  const { printed, dirt } = tryFreshClone({ isInstalling: false });
  const shown = printed.get('npm start') ?? '';

  assert.match(shown, /deny protected-files/);
  assert.match(shown, /# What this repository is/);
  assert.match(shown, /ledger ok: /);
  assert.equal(nextCommands(shown).length, 3);
  assert.match(printed.get('bin/clawhold audit verify') ?? '', /^ledger ok: /);
  assert.equal(dirt, '');
});

test('the README begins with npm start, and names npm test', () => {
  assert.deepEqual(readmeCommands(), ['npm start', 'npm test']);
});
