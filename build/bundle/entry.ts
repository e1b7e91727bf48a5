/**
 * The first file that Node reads: small, and valid for every Node, so that an old one is told what is wrong. The program
 * itself is CommonJS: its built-ins need no ES module facade, and one file needs no resolving.
 *
 * Node's default place for compiled code is a shared temporary folder; this one belongs to the user alone, because
 * whoever can write there chooses what runs.
 */
export const entrySource = `#!/usr/bin/env node
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write('Clawhold needs Node 24 or newer, this is ' + process.version + ': it uses SQLite and syntax that older ones lack. Install Node 24 and start again.\\n');
  process.exitCode = 2;
} else {
  const { createRequire, enableCompileCache } = process.getBuiltinModule('node:module');
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && process.env.HOME + '/.cache');
  if (home) enableCompileCache(home + '/clawhold/compiled');
  createRequire(import.meta.url)('./main.cjs');
}
`;
