import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Command } from 'commander';
import { createHome } from '../../state/home.ts';
import { paletteFor, type Io } from '../io.ts';
import { wire } from '../wire.ts';
import { command } from './top.ts';

/** Runs `top` with these words until it ends; on a terminal it is stopped at the third frame. */
async function runTop(words: readonly string[], isTerminal: boolean): Promise<{ readonly frames: number; readonly text: string }> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'top-'));
  createHome(root);
  const stop = new AbortController();
  let frames = 0;
  let text = '';
  const io: Io = {
    stdin: new PassThrough(),
    out: (part) => void (text += part),
    err: () => {},
    isJson: false,
    isTerminal,
    color: paletteFor(false),
    clear: isTerminal
      ? () => {
          frames += 1;
          if (frames === 3) stop.abort();
        }
      : undefined,
  };
  await using app = wire({ env: { CLAWHOLD_CONFIG_HOME: path.join(root, 'user') }, cwd: root });
  const verb = new Command('top').exitOverride();
  command.configure(verb, { app, io, signal: stop.signal, exit: () => {} });
  await verb.parseAsync([...words], { from: 'user' });
  return { frames, text };
}

test('on a terminal top draws again and again until it is stopped', async () => {
  const { frames, text } = await runTop(['--interval', '0.2'], true);

  assert.equal(frames, 3);
  assert.equal(text.match(/^server {5}not running\S*.*\nexecutors {2}none\n/gm)?.length, 3);
});

test('without a terminal, and with --once, top prints one frame and ends', async () => {
  assert.equal((await runTop([], false)).text.match(/^server/gm)?.length, 1);
  assert.equal((await runTop(['--once'], true)).frames, 0);
});

test('an interval that is no number is refused', async () => {
  for (const interval of ['0', '-1', 'x', '1e9'])
    await assert.rejects(runTop([`--interval=${interval}`], true), { code: 'cli.bad-number' });
});
