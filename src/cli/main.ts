#!/usr/bin/env node
import fs from 'node:fs';
import { version } from './build-id.ts';

/** Fast answers first: nothing else is loaded for them. */
const [first] = process.argv.slice(2);
if (first === '--version' || first === '-V') fs.writeSync(1, `${version()}\n`);
// No top-level await: the bundle is CommonJS.
else void start();

async function start(): Promise<void> {
  const { runCli } = await import('./run-cli.ts');
  process.exitCode = await runCli(process.argv.slice(2));
}
