import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import tls from 'node:tls';
import { checkServerName, HelloWatch, readClientHello } from './client-hello.ts';

/** The first bytes that Node's own TLS sends. */
async function realHello(servername: string): Promise<Buffer> {
  return await new Promise((resolve) => {
    const socket = new Duplex({ read: () => undefined, write: (bytes: Buffer) => resolve(bytes) });
    tls.connect({ socket, servername }).on('error', () => undefined);
  });
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}

function extension(type: number, value: Buffer): Buffer {
  return Buffer.concat([u16(type), u16(value.length), value]);
}

function nameList(...names: readonly string[]): Buffer {
  const list = Buffer.concat(names.map((name) => Buffer.concat([Buffer.from([0]), u16(name.length), Buffer.from(name)])));
  return Buffer.concat([u16(list.length), list]);
}

function hello(extensions: readonly Buffer[], { tail = Buffer.alloc(0), recordBytes = 16_384 } = {}): Buffer {
  const list = Buffer.concat(extensions);
  const body = Buffer.concat([
    u16(0x0303),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    u16(2),
    u16(0x1301),
    Buffer.from([1, 0]),
    u16(list.length),
    list,
    tail,
  ]);
  const message = Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += recordBytes) {
    const part = message.subarray(at, at + recordBytes);
    records.push(Buffer.concat([Buffer.from([22, 3, 1]), u16(part.length), part]));
  }
  return Buffer.concat(records);
}

const sni = (name: string): Buffer => extension(0, nameList(name));

test('the server name of a real client is read, whole or in any split', async () => {
  const bytes = await realHello('api.test');

  assert.deepEqual(readClientHello(bytes), { serverName: 'api.test', isNameHidden: false });
  for (let length = 0; length < bytes.length; length += 1) assert.equal(readClientHello(bytes.subarray(0, length)), undefined);
});

test('a hello in many small records is put together', () => {
  assert.equal(readClientHello(hello([sni('api.test')], { recordBytes: 3 }))?.serverName, 'api.test');
});

const bad: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['two names in the list', hello([extension(0, nameList('api.test', 'evil.test'))])],
  ['two server_name extensions', hello([sni('api.test'), sni('evil.test')])],
  ['an empty name', hello([sni('')])],
  ['a name of another kind', hello([extension(0, Buffer.from([0, 4, 1, 0, 1, 97]))])],
  ['a list that is longer than its extension', hello([extension(0, Buffer.from([0, 99, 0, 0, 1, 97]))])],
  ['bytes after the list', hello([extension(0, Buffer.concat([nameList('api.test'), Buffer.from([1])]))])],
  ['bytes after the extensions', hello([sni('api.test')], { tail: Buffer.from([0]) })],
  ['an extension that is cut short', hello([Buffer.from([0, 0, 0, 9, 1])])],
  ['a record of another type', Buffer.from([23, 3, 1, 0, 1, 0])],
  ['an empty record', Buffer.from([22, 3, 1, 0, 0])],
  ['another handshake message', Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0])],
  ['a message that is too long', Buffer.concat([Buffer.from([22, 3, 1, 0, 4]), Buffer.from([1, 255, 255, 255])])],
  ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
];
for (const [name, bytes] of bad) {
  test(`refused: ${name}`, () => assert.throws(() => readClientHello(bytes), { code: 'egress.server-name' }));
}

test('a hidden, missing or other name does not pass', () => {
  for (const extensions of [
    [sni('api.test'), extension(0xfe0d, Buffer.from([0]))],
    [sni('api.test'), extension(0xffce, Buffer.alloc(2))],
    [],
    [sni('api.test.evil.test')],
    [sni('api.test.')],
  ])
    assert.throws(() => checkServerName(readClientHello(hello(extensions))!, 'api.test'), { code: 'egress.server-name' });
  checkServerName(readClientHello(hello([sni('API.test')]))!, 'api.test');
});

test('a second hello must name the same server, however it is split', () => {
  const first = hello([sni('api.test')]);
  const changeCipher = Buffer.from([20, 3, 3, 0, 1, 1]);
  for (const recordBytes of [16_384, 1, 2, 40]) {
    const second = hello([sni('evil.test')], { recordBytes });
    const watch = new HelloWatch('api.test');
    watch.push(first);

    assert.throws(
      () => {
        for (const byte of Buffer.concat([changeCipher, second])) watch.push(Buffer.from([byte]));
      },
      { code: 'egress.server-name' },
    );
  }
  const honest = new HelloWatch('api.test');
  honest.push(Buffer.concat([first, changeCipher, first]));
  honest.push(Buffer.from([23, 3, 3, 0, 1, 1]));
  honest.push(hello([sni('evil.test')]));
});
