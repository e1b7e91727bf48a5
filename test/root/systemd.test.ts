import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { whyNot } from './needs.ts';

const skip = whyNot('systemd-analyze') ?? false;
const root = path.join(import.meta.dirname, '..', '..');
const shipped = fs.readFileSync(path.join(root, 'deploy', 'systemd', 'clawhold.service'), 'utf8');

/** The unit as it would be installed, with the program that is here. */
function install(text: string): string {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'unit-')), 'clawhold.service');
  fs.writeFileSync(file, text.replace('/usr/local/bin/clawhold', path.join(root, 'bin', 'clawhold')));
  return file;
}

function analyze(...args: readonly string[]): { readonly code: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

test('systemd-analyze verify accepts the shipped unit without a word', { skip }, () => {
  const { code, text } = analyze('verify', install(shipped));

  assert.equal(text, '');
  assert.equal(code, 0);
});

test('sabotage: systemd-analyze verify finds a word that systemd does not know', { skip }, () => {
  const { text } = analyze('verify', install(shipped.replace('ProtectSystem=strict', 'ProtectSytem=strict')));

  assert.match(text, /ProtectSytem/);
});

test('the shipped unit is exposed no more than it says, and an unhardened one far more', { skip }, () => {
  const exposure = (text: string): number => {
    const score = /Overall exposure level for \S+: (\d+\.\d)/.exec(analyze('security', '--offline=true', install(text)).text)?.[1];
    assert.ok(score);
    return Number(score);
  };

  assert.ok(exposure(shipped) <= 3.5);
  assert.ok(exposure('[Service]\nExecStart=/usr/local/bin/clawhold serve\n') > 8);
});

test('the unit lets bubblewrap make a sandbox: no system call that it needs is filtered', { skip }, () => {
  const members = (group: string): Set<string> =>
    new Set(
      analyze('syscall-filter', group)
        .text.split('\n')
        .slice(1)
        .map((line) => line.trim())
        .filter((line) => /^[@a-z]/.test(line)),
    );
  const expand = (names: readonly string[]): Set<string> => {
    const found = new Set<string>();
    const pending = [...names];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name.startsWith('@')) pending.push(...members(name));
      else found.add(name);
    }
    return found;
  };
  const filters = [...shipped.matchAll(/^SystemCallFilter=(.*)$/gm)].map(([, names = '']) => names.split(' '));
  const allowed = expand(filters.filter(([first = '']) => !first.startsWith('~')).flat());
  const denied = expand(
    filters.filter(([first = '']) => first.startsWith('~')).flatMap((names) => names.map((name) => name.replace('~', ''))),
  );

  for (const needed of [
    'clone',
    'unshare',
    'setns',
    'mount',
    'umount2',
    'pivot_root',
    'capset',
    'prctl',
    'seccomp',
    'sethostname',
    'chdir',
    'execve',
    'setresuid',
  ]) {
    assert.ok(allowed.has(needed), needed);
    assert.ok(!denied.has(needed), needed);
  }
  for (const name of [
    'RestrictNamespaces',
    'ProtectKernelTunables',
    'ProtectKernelLogs',
    'ProtectProc',
    'ProcSubset',
    'ProtectHostname',
    'ProtectControlGroups',
  ])
    assert.doesNotMatch(shipped, new RegExp(`^${name}=`, 'm'));
});
