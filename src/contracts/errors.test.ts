import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AskHumanError, FixRequestError, GiveUpError, namesPlace, placelessReasonOf, publicReasonOf, RetryableError } from './errors.ts';

const places = [
  'The home /srv/clawhold is not used.',
  '/home/x/.clawhold/llm.yaml:3: models is wrong.',
  "ENOENT: no such file or directory, open '/var/lib/clawhold/tenants/acme/runs'",
  '"/etc/clawhold" is a link to another place.',
  'The folder (/opt) is gone.',
  'It lies in `/tmp/x`.',
  'The file=/root/key cannot be read.',
  'It is at file:///srv/x.',
  'Cannot connect to the daemon at unix:///var/run/docker.sock.',
  'several lines:\n/srv/x is wrong',
];
const harmless = [
  'There is no agent "main" in tenant acme.',
  'https://api.example.com/v1/models is not https.',
  'Write reports/daily.md and tokens/tok_1, or 10 MiB/s.',
  'policies/platform.yaml:7: rules is wrong.',
  'It must match /^run_[0-9a-z]{26}$/, and and/or is fine.',
];

test('a tenant sees no message that names a place of this machine, whatever class the error is of', () => {
  for (const text of places) {
    for (const error of [
      new FixRequestError('a.b', text),
      new RetryableError('a.b', text),
      new AskHumanError('a.b', text),
      new GiveUpError('a.b', text),
    ]) {
      assert.match(error.publicMessage, /^A file or folder of this installation/, text);
      assert.equal(error.message, text);
    }
  }
});

test('a message without a place is told as it is', () => {
  for (const text of harmless) assert.deepEqual([namesPlace(text), new RetryableError('a.b', text).publicMessage], [false, text]);
});

test('a tenant sees no line of a configuration or a policy, and a failure that passes keeps its words', () => {
  for (const code of ['config.invalid', 'config.syntax', 'governance.bad-policy', 'governance.looser-layer'])
    assert.match(
      new FixRequestError(code, 'policies/platform.yaml:7: rules is wrong.').publicMessage,
      /^A configuration or a policy is not valid\./,
    );

  assert.equal(new RetryableError('governance.busy', 'The ledger is busy. Try again.').publicMessage, 'The ledger is busy. Try again.');
});

test('an error that has words for a tenant tells these, and one that nobody threw on purpose tells nothing', () => {
  const error = new FixRequestError('a.b', 'The repo /srv/shop is a link.', { publicMessage: 'The repo is a link.' });

  assert.deepEqual([publicReasonOf(error), error.message], ['The repo is a link.', 'The repo /srv/shop is a link.']);
  assert.doesNotMatch(publicReasonOf(new Error('connect ECONNREFUSED 10.0.0.5:5432')), /10\.0/);
});

test('a failure of the surroundings keeps its words only when they name no place', () => {
  const shown = [new Error('spawn ENOENT'), new Error('spawn /opt/server ENOENT'), new GiveUpError('a.b', 'The key is not there.')];

  const [plain, placed, ours] = shown.map(placelessReasonOf);

  assert.deepEqual([plain, ours], ['spawn ENOENT', 'The key is not there.']);
  assert.match(placed ?? '', /^A file or folder of this installation/);
});
