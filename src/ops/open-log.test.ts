import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createRedactor } from '../governance/redact.ts';
import { openLog, type LogOptions } from './open-log.ts';

function capture(options: LogOptions = {}): { readonly log: ReturnType<typeof openLog>; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: openLog({ write: (line) => void lines.push(line), ...options }), lines };
}

test('a line is JSON with time, level, message and the fields of the wire', () => {
  const { log, lines } = capture();

  log
    .with({ tenant_id: 'acme', swarm_id: 's1', sandbox_id: 'sb1' })
    .with({ task_id: 'tsk_1', run_id: 'run_1' })
    .warn('late', { trace_id: 'a'.repeat(32), request_id: 'r1', code: 'state.lease-lost', attempt: 2, hidden: undefined });

  const { time, ...rest } = JSON.parse(lines.join('')) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    level: 'warn',
    msg: 'late',
    tenant_id: 'acme',
    swarm_id: 's1',
    sandbox_id: 'sb1',
    task_id: 'tsk_1',
    run_id: 'run_1',
    trace_id: 'a'.repeat(32),
    request_id: 'r1',
    code: 'state.lease-lost',
    attempt: 2,
  });
});

test('one request is found among others by tenant_id and task_id', () => {
  const { log, lines } = capture();
  for (const tenant of ['acme', 'globex']) for (const task of ['t1', 't2']) log.info('step', { tenant_id: tenant, task_id: task });

  const found = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((l) => l['tenant_id'] === 'acme' && l['task_id'] === 't2');

  assert.equal(found.length, 1);
});

test('nothing in a message or a field begins a new line or steers a terminal', () => {
  const { log, lines } = capture();
  const evil = 'a\nb\r\u001b[2J\u0007\u009b31m\u2028\u202e\u200b\ufeff\u007f{"level":"error"}';

  log.info(evil, { note: evil });

  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^[\u0020-\u007e]*\n$/);
  assert.equal((JSON.parse(lines[0] ?? '') as { note: string }).note, evil);
});

test('a planted secret is in no line, whole or cut, in message, field or bound field', () => {
  const secret = 'planted-Secret-4711-value'; // not-a-secret: planted for this test
  const redactor = createRedactor({ secrets: [{ name: 'KEY', value: secret }], patterns: [] });
  const { log, lines } = capture({ redact: (text) => redactor.text(text), fields: { role: secret } });

  log.with({ bound: `x ${secret}` }).error(`failed with ${secret}`, { header: `Bearer ${secret}`, long: `${'x'.repeat(8180)}${secret}` });

  assert.equal(lines.length, 1);
  for (const part of [secret, secret.slice(0, 12), Buffer.from(secret).toString('base64')])
    assert.equal(lines.join('').includes(part), false);
  assert.match(lines.join(''), /\[redacted:KEY\]/);
});

test('sabotage: without the redactor the planted secret is in the line, so the test above would see it', () => {
  const { log, lines } = capture();

  log.error('failed with planted-Secret-4711-value');

  assert.match(lines.join(''), /planted-Secret-4711-value/);
});

test('a redactor that fails lets nothing through, and the event is still there', () => {
  const { log, lines } = capture({
    redact: () => {
      throw new Error('broken');
    },
  });

  log.error('the secret', { code: 'x', attempt: 3 });

  assert.equal(lines.join('').includes('the secret'), false);
  assert.equal((JSON.parse(lines.join('')) as { attempt: number }).attempt, 3);
});

test('fields cannot take the place of time, level and message', () => {
  const { log, lines } = capture();

  log.info('true', { msg: 'false', level: 'error', time: 'never' });

  const line = lines.join('');
  assert.equal(line.match(/"msg":/g)?.length, 1);
  assert.equal((JSON.parse(line) as { msg: string }).msg, 'true');
  assert.equal((JSON.parse(line) as { field_level: string }).field_level, 'error');
});

test('the level is a bound, and changing it holds for logs that were made before', () => {
  const { log, lines } = capture({ level: 'warn' });
  const child = log.with({ run_id: 'r' });
  child.info('unseen');

  log.setLevel('debug');
  child.debug('seen');

  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
    ['seen'],
  );
});

test('lines for a file are there when the log is disposed', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'log-')), 'log.jsonl');
  const fd = fs.openSync(file, 'a', 0o600);
  {
    using log = openLog({ fd });
    for (let n = 0; n < 1000; n += 1) log.info('line', { n });
  }

  assert.equal(fs.readFileSync(file, 'utf8').trimEnd().split('\n').length, 1000);
  fs.closeSync(fd);
});

test('a reader that does not read its pipe stops neither the program nor fills its memory', async () => {
  const program = `
    const { openLog } = await import(${JSON.stringify(path.join(import.meta.dirname, 'open-log.ts'))});
    const log = openLog({ fd: 2 });
    for (let n = 0; n < 40; n += 1) {
      for (let m = 0; m < 1000; m += 1) log.info('x'.repeat(1000));
      await new Promise((done) => setImmediate(done));
    }
    console.log(process.memoryUsage().rss);
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'pipe'] });

  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];

  assert.ok(Number(bytes.toString()) < 250_000_000, `${bytes.toString()} bytes after 40 MB of lines that nobody read`);
});

test('a full pipe that nobody reads does not keep the process from ending', async () => {
  const fifo = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'log-')), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = fs.openSync(fifo, fs.constants.O_RDWR);
  const program = `
    const { openLog } = await import(${JSON.stringify(path.join(import.meta.dirname, 'open-log.ts'))});
    using log = openLog({ fd: 2 });
    for (let m = 0; m < 3000; m += 1) log.info('x'.repeat(1000));
    await new Promise((done) => setTimeout(done, 50));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'ignore', fd] });

  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [code] = (await once(child, 'exit')) as [number | null];

  clearTimeout(timer);
  fs.closeSync(fd);
  assert.equal(code, 0);
});

/** Runs a program whose standard error is a pipe to `cat`, and gives the numbers of the lines that came. */
async function numbersThroughPipe(body: string, env: NodeJS.ProcessEnv = {}): Promise<readonly number[]> {
  const program = `
    const { openLog } = await import(${JSON.stringify(path.join(import.meta.dirname, 'open-log.ts'))});
    ${body}`;
  const child = spawn('sh', ['-c', '"$0" --input-type=module --eval "$1" 2>&1 >/dev/null | cat', process.execPath, program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  let text = '';
  child.stdout.on('data', (part: Buffer) => void (text += part.toString()));
  await once(child, 'close');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: number }).n);
}

const inOrder = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

test('a pipe that is read gets every line, also those of the last moment', async () => {
  const numbers = await numbersThroughPipe(`
    using log = openLog({ fd: 2 });
    for (let n = 0; n < 2000; n += 1) log.info('x'.repeat(500), { n });`);

  assert.deepEqual(numbers, inOrder(2000));
});

/** The only other thread hashes passwords: what is left to it is written after everything else, or never. */
const busyThread = `
    const { pbkdf2 } = await import('node:crypto');
    for (let n = 0; n < 5; n += 1) pbkdf2('p', 's', 200_000, 64, 'sha512', () => {});`;

test('lines are in their order and all there while all other threads are busy', async () => {
  const body = `${busyThread}
    using log = openLog({ fd: 2 });
    for (let n = 0; n < 300; n += 1) log.info('x'.repeat(500), { n });`;

  assert.deepEqual(await numbersThroughPipe(body, { UV_THREADPOOL_SIZE: '1' }), inOrder(300));
});

test('a line is in the file when the call that logs it returns, and the last one before a kill too', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'log-')), 'log.jsonl');
  const program = `
    const { openLog } = await import(${JSON.stringify(path.join(import.meta.dirname, 'open-log.ts'))});
    const log = openLog({ fd: 2 });
    log.error('the last words');
    process.kill(process.pid, 'SIGKILL');`;
  const fd = fs.openSync(file, 'a', 0o600);

  spawnSync(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'ignore', fd] });

  fs.closeSync(fd);
  assert.equal((JSON.parse(fs.readFileSync(file, 'utf8')) as { msg: string }).msg, 'the last words');
});

test('a reader that went away keeps nobody from going on and from ending', async () => {
  const program = `
    const { openLog } = await import(${JSON.stringify(path.join(import.meta.dirname, 'open-log.ts'))});
    for (let n = 0; n < 2; n += 1) {
      using log = openLog({ fd: 2 });
      process.stdout.write('ready');
      await new Promise((done) => process.stdin.once('data', done));
      log.info('to nobody');
    }
    process.exit(7);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['pipe', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const ended = once(child, 'exit');
  child.stderr.destroy();
  child.stdout.on('data', () => void child.stdin.write('go'));

  const [code] = (await ended) as [number | null];

  clearTimeout(timer);
  assert.equal(code, 7);
});

test('a disk that takes nothing stops neither what is done nor its end', () => {
  const fd = fs.openSync('/dev/full', 'a');
  using log = openLog({ fd });

  log.info('line');
  log.info('line');
  log[Symbol.dispose]();
  log.info('after the end');

  fs.closeSync(fd);
});

test('what a full pipe could not take comes whole and in order once somebody reads', async () => {
  const fifo = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'log-')), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = fs.openSync(fifo, fs.constants.O_RDWR);
  using log = openLog({ fd });
  for (let n = 0; n < 400; n += 1) log.info('x'.repeat(500), { n });

  const reader = spawn('head', ['-n', '400', fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  reader.stdout.on('data', (part: Buffer) => void (text += part.toString()));
  await once(reader, 'close');

  fs.closeSync(fd);
  const numbers = text.trimEnd().split('\n');
  assert.deepEqual(
    numbers.map((line) => (JSON.parse(line) as { n: number }).n),
    inOrder(400),
  );
});
