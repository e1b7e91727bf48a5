import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestWord } from './nearest-word.ts';

const verbs = ['init', 'ask', 'run', 'runs', 'agents', 'approvals', 'audit'];

for (const [typed, meant] of [
  ['asl', 'ask'],
  ['aks', 'ask'],
  ['agnets', 'agents'],
  ['approve', 'approvals'],
  ['approval', 'approvals'],
  ['inti', 'init'],
  ['frobnicate', undefined],
  ['x', undefined],
] as const) {
  test(`"${typed}" is ${meant === undefined ? 'near nothing' : `read as "${meant}"`}`, () => {
    assert.equal(nearestWord(typed, verbs), meant);
  });
}
