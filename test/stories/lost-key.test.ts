import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newInstallation } from './installation.ts';
import { serveHome, tokenOf } from './served.ts';

const scripted = { clawholdYaml: 'model: scripted/demo\n' };

test('a ledger key that was lost is not made anew by any command or tenant, a server does not begin without it, and with it all goes on', async () => {
  using one = newInstallation(scripted);
  await one.cli(['tenants', 'create', 'acme']);
  const secret = await tokenOf(one);
  const first = await one.cli(['ask', 'hello', '--json']);
  const keyFile = path.join(one.root, 'user', 'config', 'keys', 'ledger.ed25519');
  const kept = fs.readFileSync(keyFile);
  fs.rmSync(keyFile);
  fs.rmSync(path.join(one.home, 'tenants', 'acme', 'ledger'), { recursive: true, force: true });

  const asked = await one.cli(['ask', 'hello', '--json']);
  const ofNewLedger = await one.cli(['tokens', 'create', '--role', 'viewer', '--tenant', 'acme', '--json']);
  const served = await one.cli(['serve', '--port', '0', '--json']);
  const isMade = fs.existsSync(keyFile);
  fs.writeFileSync(keyFile, kept, { mode: 0o600 });
  const again = await one.cli(['ask', 'hello', '--json']);
  await using server = await serveHome(one, [], secret);

  assert.equal(first.code, 0, first.stdout);
  for (const refused of [asked, ofNewLedger, served]) {
    assert.equal(refused.code, 1, refused.stdout);
    assert.equal(refused.json['error'].code, 'governance.ledger-key-lost');
  }
  assert.equal(isMade, false);
  assert.equal(again.code, 0, again.stdout);
  assert.equal((await server.reached(await server.post('hello'), 'done', 'failed'))['state'], 'done');
});

test('a tenant whose ledger cannot be continued keeps its accepted runs until a human has put it right, and others work meanwhile', async () => {
  using one = newInstallation(scripted);
  await one.cli(['tenants', 'create', 'acme']);
  await one.cli(['agents', 'new', 'main', '--tenant', 'acme']);
  const made = await one.cli(['tokens', 'create', '--role', 'admin', '--tenant', 'acme', '--json']);
  const checkpoints = path.join(one.home, 'tenants', 'acme', 'ledger', 'checkpoints.jsonl');
  const right = fs.readFileSync(checkpoints, 'utf8');
  fs.writeFileSync(checkpoints, right.replaceAll('"publicKey"', '"otherKey"'));
  await using server = await serveHome(one);
  const headers = { authorization: `Bearer ${made.json['secret']}` };

  const { status, json } = await server.ask('POST', '/api/v1/runs', { agent: 'main', input: 'hello' }, headers);
  for (let n = 0; n < 20; n += 1) await server.ask('POST', '/api/v1/runs', { agent: 'main', input: 'hello' }, headers);
  const other = await server.reached(await server.post('hello'), 'done', 'failed');
  const stateOf = async (): Promise<string> =>
    (await server.ask('GET', `/api/v1/runs/${json['run']}`, undefined, headers)).json['run'].state;
  const before = await stateOf();
  fs.writeFileSync(checkpoints, right);
  let after = await stateOf();
  for (; after === 'accepted' || after === 'running'; after = await stateOf()) await sleep(50);

  assert.equal(status, 202);
  assert.equal(other['state'], 'done');
  assert.equal(before, 'accepted');
  assert.equal(after, 'done');
  server.child.kill('SIGTERM');
  // Of many tasks that wait for the same, one line a minute.
  assert.equal((await server.done).stderr.split('a tenant cannot work').length - 1, 1);
});
