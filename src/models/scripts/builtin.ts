import type { Script } from '../script/schema.ts';
import { helloScript } from './hello.ts';
import { scoutScript } from './scout.ts';

/** By the name after `scripted/`. `demo` greets, and explores when the message asks for a report. */
export const builtinScripts: Readonly<Record<string, Script>> = {
  demo: { version: 1, branches: [...scoutScript.branches.map((branch) => ({ ...branch, when: 'REPORT\\.md' })), ...helloScript.branches] },
  hello: helloScript,
  scout: scoutScript,
};
