import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { openBwrap } from '../../src/sandbox/bwrap.ts';
import { sandboxConformance } from '../../src/sandbox/conformance.ts';
import { whyNot } from './needs.ts';

const runtimeDir = mkdtempSync(path.join(tmpdir(), 'bwrap-runtime-'));
after(() => rmSync(runtimeDir, { recursive: true, force: true }));
const skip = whyNot('bwrap', 'gcc');
const open = () => openBwrap({ runtimeDir });

sandboxConformance({ title: 'bwrap, workspace of a user', runtimeDir, open, owner: 12_345, skip });
sandboxConformance({ title: 'bwrap, workspace of root', runtimeDir, open, owner: undefined, skip });
