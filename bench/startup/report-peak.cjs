// Loaded with --require before the measured program: tells its highest resident memory when it ends.
process.on('exit', () => {
  const [, peak] = /VmHWM:\s+(\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'utf8')) ?? [];
  require('node:fs').writeSync(2, `peak-kb=${peak}\n`);
});
