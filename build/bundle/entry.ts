import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The first file that Node reads (entry.mjs): small, and valid for every Node, so that an old one is told what is
 * wrong. The program itself is CommonJS: its built-ins need no ES module facade, and one file needs no resolving.
 *
 * It keeps what V8 compiled, for each verb, in the user's cache folder: half of a cold start is compiling. Node's own
 * compile cache holds only what is compiled before the program runs, and nothing is shipped, because a release holds
 * only what can be made from its sources byte for byte.
 */
export function entrySource(program: string): string {
  const digest = createHash('sha256').update(program).digest('hex').slice(0, 16);
  return readFileSync(path.join(import.meta.dirname, 'entry.mjs'), 'utf8').replaceAll('__DIGEST__', digest);
}
