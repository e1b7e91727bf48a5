import fs from 'node:fs';
import path from 'node:path';
import { RunStopped } from '../agent/run-signal.ts';

/** A file of this name in a run's folder asks whoever works on the run to end it cleanly. */
export const stopFileName = 'stop';
const pollMs = 500;

/** A signal that aborts when the run's stop file appears. A file is seen by every process and survives all of them. */
export function watchStopFile(runDir: string): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const file = path.join(runDir, stopFileName);
  if (fs.existsSync(file)) fs.rmSync(file, { force: true });
  const timer = setInterval(() => {
    if (!fs.existsSync(file)) return;
    clearInterval(timer);
    fs.rmSync(file, { force: true });
    controller.abort(new RunStopped('cancelled'));
  }, pollMs);
  timer.unref();
  return { signal: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
