import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTurnEnd } from './turn-end.ts';

test('who asks in one turn of the event loop goes on together, after all of them asked', async () => {
  const turnEnd = openTurnEnd();
  const order: string[] = [];
  const work = async (name: string): Promise<void> => {
    order.push(`${name} asks`);
    await turnEnd();
    order.push(`${name} goes on`);
  };

  const [first, second] = [work('a'), Promise.resolve().then(async () => await work('b'))];
  await Promise.all([first, second]);

  assert.deepEqual(order, ['a asks', 'b asks', 'a goes on', 'b goes on']);
});

test('who asks in a later turn waits for its own end', async () => {
  const turnEnd = openTurnEnd();
  await turnEnd();
  let isOver = false;

  const second = turnEnd().then(() => (isOver = true));
  await Promise.resolve();

  assert.equal(isOver, false);
  await second;
  assert.equal(isOver, true);
});
