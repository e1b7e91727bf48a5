#!/usr/bin/env node
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    'Clawhold needs Node 24 or newer, this is ' +
      process.version +
      ': it uses SQLite and syntax that older ones lack. Install Node 24 and start again.\n',
  );
  process.exitCode = 2;
} else {
  start(process.getBuiltinModule('node:fs'));
}

/** Runs main.cjs as Node would, with the code that earlier runs compiled. */
function start(fs) {
  const dir = import.meta.dirname;
  const main = dir + '/main.cjs';
  const verb = process.argv[2] || '';
  // A server waits for many syncs at once, each on a thread; set before the first of them.
  if (verb === 'serve') process.env.UV_THREADPOOL_SIZE ||= '16';
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && process.env.HOME + '/.cache');
  const folders = home ? [home, home + '/clawhold', home + '/clawhold/compiled'] : [];
  const folder = folders[2];
  const name = /^-{0,2}[a-z]{1,16}$/.test(verb) ? verb.replace(/^-+/, '') : 'start';
  const file = folder + '/__DIGEST__.' + process.version + '.' + process.arch + '.' + name;
  const made = fs.statSync(main).mtimeMs;
  const known = folder ? readCode(fs, file, made) : undefined;
  const { Script } = process.getBuiltinModule('node:vm');
  // The file is one function, as Node wraps CommonJS.
  const script = new Script(fs.readFileSync(main, 'latin1'), { filename: main, cachedData: known && known.code });
  const module = { exports: {} };
  const require = process.getBuiltinModule('node:module').createRequire(main);
  script.runInThisContext().call(module.exports, module.exports, require, module, main, dir);
  const runs = known && !script.cachedDataRejected ? known.runs : 0;
  if (folder && runs < 3)
    process.on('exit', (code) => {
      if (code === 0) keepCode(fs, { folders, file, made, runs: runs + 1, code: script.createCachedData() });
    });
}

/**
 * What V8 compiled in an earlier run of the verb: 16 bytes (when main.cjs was made, how many runs added to it), then
 * its own format, which names V8's version and flags. V8 does not check the bytes, and whoever can write them chooses
 * what runs, so they must be this user's alone.
 */
function readCode(fs, file, made) {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      const { uid, mode } = fs.fstatSync(fd);
      if (uid !== process.geteuid() || (mode & 0o022) !== 0) return undefined;
      const bytes = fs.readFileSync(fd);
      return bytes.readDoubleLE(0) === made ? { runs: bytes.readDoubleLE(8), code: bytes.subarray(16) } : undefined;
    } finally {
      fs.closeSync(fd);
    }
  } catch {
    // silent-ok: without it everything is compiled again.
    return undefined;
  }
}

/** On the disk before it has its name, so that a file with that name is whole. */
function keepCode(fs, { folders, file, made, runs, code }) {
  const temp = file + '.' + process.pid;
  try {
    // One by one: Node never ends making folders beneath /proc.
    for (const folder of folders) if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 });
    const head = Buffer.alloc(16);
    head.writeDoubleLE(made, 0);
    head.writeDoubleLE(runs, 8);
    fs.writeFileSync(temp, Buffer.concat([head, code]), { mode: 0o600, flag: 'wx', flush: true });
    fs.renameSync(temp, file);
    if (runs === 1) removeOld(fs, folders[2]);
  } catch {
    // silent-ok: a full or read-only disk costs the next run some milliseconds, nothing else.
    fs.rmSync(temp, { force: true });
  }
}

/** What other builds left and nothing has renewed for a week. */
function removeOld(fs, folder) {
  for (const name of fs.readdirSync(folder)) {
    const file = folder + '/' + name;
    if (!name.startsWith('__DIGEST__.') && Date.now() - fs.statSync(file).mtimeMs > 7 * 86_400_000)
      fs.rmSync(file, { recursive: true, force: true });
  }
}
