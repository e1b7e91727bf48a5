import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseTenantId } from '../../contracts/ids.ts';
import { openLedger } from '../../governance/ledger.ts';
import { createHome } from '../../state/home.ts';
import type { AuditContext } from './audit-context.ts';
import { auditExport, renderExport } from './audit-export.ts';
import { auditQuery, renderRecord } from './audit-query.ts';
import { auditTail } from './audit-tail.ts';
import { auditVerify, renderVerify } from './audit-verify.ts';

const at = '2026-01-02T03:04:05.678Z';

async function makeContext(): Promise<AuditContext & { readonly ledgerFile: string; readonly root: string }> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'audit-'));
  const context = { home: createHome(root), tenant: parseTenantId('default'), keyFile: path.join(root, 'keys', 'ledger.pem') };
  const dir = context.home.ledgerDir(context.tenant);
  await using ledger = await openLedger({ dir, keyFile: context.keyFile, clock: { now: () => Date.parse(at) } });
  for (const call of ['c1', 'c2', 'c3']) {
    await ledger.append({
      type: 'tool.intent',
      at,
      run: 'run_1',
      session: 'ses_1',
      agent: 'scout',
      call,
      tool: 'fs.read',
      request: 'a'.repeat(64),
      target: 'a file',
    });
  }
  return { ...context, root, ledgerFile: path.join(dir, 's01/000001.jsonl') };
}

test('verify of a good ledger is exit 0, and after one flipped byte exit 6 with the place', async () => {
  const context = await makeContext();

  const good = await auditVerify(context, {});
  fs.writeFileSync(context.ledgerFile, fs.readFileSync(context.ledgerFile, 'utf8').replace('"call":"c2"', '"call":"c9"'));
  const bad = await auditVerify(context, {});

  assert.equal(good.exitCode, 0);
  assert.match(renderVerify(good), /^ledger ok: 4 records in 1 stream, 2 checkpoints by key [0-9a-f]{16}$/);
  assert.equal(bad.exitCode, 6);
  assert.match(renderVerify(bad), /^ledger NOT ok: 1 problem in 4 records[^]*s01\/000001\.jsonl:2: record 2 was changed/);
});

test('a tenant without a ledger is verified as empty', async () => {
  const context = await makeContext();

  const result = await auditVerify({ ...context, tenant: parseTenantId('other') }, {});

  assert.deepEqual([result.exitCode, result.report.rows], [0, 0]);
});

test('an export is verified elsewhere against its checkpoint, and the ledger against the export', async () => {
  const context = await makeContext();
  const out = path.join(context.root, 'out');

  const exported = await auditExport(context, { out });

  assert.match(
    renderExport(exported),
    /^exported 4 records of 1 stream to .*; latest checkpoint in .*checkpoint\.json\nverify it anywhere: /,
  );
  const elsewhere = { ...context, keyFile: path.join(context.root, 'no', 'key') };
  const checkpointFile = path.join(out, 'checkpoint.json');
  assert.equal((await auditVerify(elsewhere, { dir: path.join(out, 'ledger'), checkpointFile })).exitCode, 0);
  assert.equal((await auditVerify(context, { checkpointFile })).exitCode, 0);
  fs.truncateSync(context.ledgerFile, 0);
  assert.equal((await auditVerify(context, { checkpointFile })).exitCode, 6);
  await assert.rejects(auditExport(context, { out }), { code: 'audit.not-empty' });
});

test('an export is verified by its folder alone, held to the checkpoint in it, and without a home', async () => {
  const { root, tenant, keyFile, ...context } = await makeContext();
  const out = path.join(root, 'out');
  const { publicKey } = await auditExport({ ...context, tenant, keyFile }, { out });
  const elsewhere = { tenant, keyFile: path.join(root, 'no', 'key') };
  assert.ok(publicKey !== undefined);

  const good = await auditVerify(elsewhere, { dir: out, publicKey });
  fs.rmSync(path.join(out, 'ledger', 'checkpoints.jsonl'));
  fs.truncateSync(path.join(out, 'ledger', 's01', '000001.jsonl'), 0);
  const cut = await auditVerify(elsewhere, { dir: out, publicKey });

  assert.deepEqual([good.exitCode, good.report.rows, cut.exitCode], [0, 4, 6]);
});

test('a folder without a ledger is refused instead of verified, and so is a key that is none', async () => {
  const context = await makeContext();
  const empty = path.join(context.root, 'empty');
  fs.mkdirSync(empty);

  await assert.rejects(auditVerify(context, { dir: empty }), { code: 'audit.no-ledger' });
  await assert.rejects(auditVerify(context, { publicKey: 'zz' }), { code: 'audit.bad-key' });
});

test('files that are named and missing are mistakes of the request', async () => {
  const context = await makeContext();

  await assert.rejects(auditVerify(context, { checkpointFile: '/no/such/file' }), { code: 'audit.no-checkpoint', remedy: 'fix-request' });
  await assert.rejects(auditVerify(context, { dir: '/no/such/folder' }), { code: 'audit.no-ledger' });
  await assert.rejects(auditExport({ ...context, tenant: parseTenantId('other') }, { out: path.join(context.root, 'o') }), {
    code: 'audit.no-ledger',
  });
});

test('query and tail show records for people', async () => {
  const context = await makeContext();

  const queried = await collect(auditQuery(context, { tool: 'fs.read', limit: 2 }));
  const tailed = await collect(auditTail(context, { count: 2 }));

  assert.deepEqual(
    queried.map(({ seq }) => seq),
    [1, 2],
  );
  assert.deepEqual(
    tailed.map(({ seq }) => seq),
    [3, 4],
  );
  assert.equal(renderRecord(queried[0]!), `${at} s01/1 scout run_1 tool.intent call=c1 tool=fs.read request=aaaaaaaaaaaa target="a file"`);
});

test('a tail that follows leaves nothing out between the old and the new', async () => {
  const context = await makeContext();
  const stop = new AbortController();
  const seen: number[] = [];

  for await (const { seq } of auditTail(context, { count: 2, follow: stop.signal })) {
    seen.push(seq);
    if (seq === 4) {
      await using ledger = await openLedger({
        dir: context.home.ledgerDir(context.tenant),
        keyFile: context.keyFile,
        clock: { now: () => Date.parse(at) },
      });
      await ledger.append({ type: 'prune', at, principal: { kind: 'user', id: 'me' }, runs: [], reason: 'test' });
    }
    if (seq === 6) stop.abort();
  }

  assert.deepEqual(seen, [3, 4, 5, 6]);
});

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
