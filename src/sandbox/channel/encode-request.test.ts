import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SandboxRequestError } from '../sandbox-error.ts';
import { encodeRequest } from './encode-request.ts';

const request = { argv: ['echo', 'a\nb', ''], cwd: '/workspace', env: { A: '1' } };

test('a request counts the line feeds of every text, so that none can be read as the next', () => {
  assert.equal(encodeRequest(7, request), '7 - 1 4\n0\n/workspace\n0\nA=1\n0\necho\n1\na\nb\n0\n\n');
});

const refused: readonly (readonly [name: string, change: Partial<Parameters<typeof encodeRequest>[1]>])[] = [
  ['no program', { argv: [] }],
  ['an empty program', { argv: [''] }],
  ['a NUL byte in an argument', { argv: ['echo', 'a\0b'] }],
  ['a NUL byte in the working folder', { cwd: '/a\0' }],
  ['a NUL byte in a variable', { env: { A: '\0' } }],
  ['a variable that the shell would parse', { env: { 'A;reboot': '1' } }],
  ['a variable of the supervisor', { env: { _id: '1' } }],
  ['the field separator of the shell', { env: { IFS: 'x' } }],
  ['a variable that bash refuses', { env: { UID: '0' } }],
  ['more arguments than the supervisor takes', { argv: Array.from({ length: 5000 }, () => 'a') }],
];
for (const [name, change] of refused) {
  test(`a request is refused for ${name}`, () => {
    assert.throws(() => encodeRequest(1, { ...request, ...change }), SandboxRequestError);
  });
}
