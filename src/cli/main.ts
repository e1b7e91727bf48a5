#!/usr/bin/env node
import fs from 'node:fs';
import { version } from './build-id.ts';

/** Fast answers first: nothing else is loaded for them. */
const [first] = process.argv.slice(2);
if (first === '--version' || first === '-V') {
  fs.writeSync(1, `${version()}\n`);
} else {
  // No top-level await: the bundle is CommonJS.
  void import('./run-cli.ts').then(async ({ runCli }) => {
    process.exitCode = await runCli(process.argv.slice(2));
  });
}
