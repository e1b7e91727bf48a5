import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256, type Sha256 } from '../../contracts/json.ts';
import type { Objects } from '../objects.ts';

export interface ObjectsUnderTest {
  readonly objects: Objects;
  /** Replaces what is stored for a hash behind the store's back. */
  readonly damage: (sha: Sha256, bytes: string) => Promise<void>;
  readonly countStored: () => Promise<number>;
}

/** The contract of Objects, sentence by sentence. */
export function testObjects(product: string, make: () => Promise<ObjectsUnderTest>): void {
  test(`${product}: get returns the bytes that were put`, async () => {
    const { objects } = await make();
    const bytes = new Uint8Array([0, 255, 10, 13]);

    const sha = await objects.put(bytes);

    assert.equal(sha, sha256(bytes));
    assert.deepEqual(new Uint8Array(await objects.get(sha)), bytes);
    assert.equal((await objects.get(await objects.put(''))).length, 0);
  });

  test(`${product}: the same bytes again cost no second copy`, async () => {
    const { objects, countStored } = await make();

    const shas = [await objects.put('one'), await objects.put('one'), await objects.put(Buffer.from('one'))];

    assert.equal(new Set(shas).size, 1);
    assert.equal(await countStored(), 1);
  });

  test(`${product}: get of bytes that were changed in the store rejects`, async () => {
    const { objects, damage } = await make();
    const sha = await objects.put('good');
    await damage(sha, 'evil');

    await assert.rejects(objects.get(sha), { code: 'state.object-damaged', remedy: 'ask-human' });
  });

  test(`${product}: get of a hash that was never put rejects`, async () => {
    const { objects } = await make();

    await assert.rejects(objects.get(sha256('nothing')), { code: 'state.object-missing', remedy: 'ask-human' });
  });

  test(`${product}: put of the right bytes repairs a damaged object`, async () => {
    const { objects, damage } = await make();
    const sha = await objects.put('good');
    await damage(sha, 'evil');

    await objects.put('good');

    assert.equal(Buffer.from(await objects.get(sha)).toString(), 'good');
  });

  test(`${product}: has tells what is there, and remove takes it away`, async () => {
    const { objects } = await make();
    const sha = await objects.put('x');

    assert.equal(await objects.has(sha), true);
    await objects.remove(sha);
    await objects.remove(sha);
    assert.equal(await objects.has(sha), false);
  });

  test(`${product}: a hash that is not 64 hex digits is refused`, async () => {
    const { objects } = await make();

    for (const bad of ['../../../etc/passwd', '', 'A'.repeat(64), `${'a'.repeat(63)}/`]) {
      await assert.rejects(objects.get(bad as Sha256), { name: 'AssertionError' });
      await assert.rejects(objects.remove(bad as Sha256), { name: 'AssertionError' });
    }
  });
}
