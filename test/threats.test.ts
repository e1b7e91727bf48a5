import assert from 'node:assert/strict';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { LedgerEvent } from '../src/contracts/ledger.ts';
import { openLedger } from '../src/governance/ledger.ts';
import { verifyLedger } from '../src/governance/verify-ledger.ts';

const clock = { now: () => Date.UTC(2026, 0, 1) };

function change(file: string): LedgerEvent {
  return {
    type: 'config.change',
    at: new Date(clock.now()).toISOString(),
    principal: { kind: 'user', id: 'owner' },
    file,
    after: 'a'.repeat(64),
  };
}

/** Writes events to a ledger and gives its last checkpoint line, as an owner would export it. */
async function writeLedger(dir: string, keyFile: string, events: readonly LedgerEvent[]): Promise<string> {
  await using ledger = await openLedger({ dir, keyFile, clock });
  for (const event of events) await ledger.append(event);
  await ledger.checkpoint();
  return readFileSync(path.join(dir, 'checkpoints.jsonl'), 'utf8').trimEnd().split('\n').at(-1)!;
}

test('a thief of the ledger key can write a history that verifies by itself, but not against an exported checkpoint', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'threats-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const keyFile = path.join(folder, 'key');
  const real = path.join(folder, 'real');
  const exported = await writeLedger(real, keyFile, [change('honest.yaml'), change('embarrassing.yaml')]);
  const forged = path.join(folder, 'forged');
  await writeLedger(forged, keyFile, [change('honest.yaml')]);

  const alone = await verifyLedger(forged);
  const against = await verifyLedger(forged, { checkpoint: exported });
  const honest = await verifyLedger(real, { checkpoint: exported });

  assert.deepEqual(alone.problems, []);
  assert.ok(against.problems.length > 0);
  assert.deepEqual(honest.problems, []);
});

test('who has the ledger but not its key cannot add to it unseen', async (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'threats-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const real = path.join(folder, 'real');
  await writeLedger(real, path.join(folder, 'key'), [change('honest.yaml')]);
  const copy = path.join(folder, 'copy');
  cpSync(real, copy, { recursive: true });
  const lastLine = readFileSync(path.join(copy, 'checkpoints.jsonl'), 'utf8').trimEnd().split('\n').at(-1)!;
  appendFileSync(path.join(copy, 'checkpoints.jsonl'), `${lastLine.replace(/"signature":"[0-9a-f]{8}/, '"signature":"00000000')}\n`);

  const report = await verifyLedger(copy);

  assert.ok(report.problems.length > 0);
});
