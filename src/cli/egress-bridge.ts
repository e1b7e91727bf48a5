/** Where the program's own Node is seen in a sandbox that has a way out. */
export const nodeInside = '/run/clawhold/node';

/**
 * Runs inside the sandbox, before each command: clients speak to proxies over TCP, and the only way out is a unix socket.
 * It listens on the sandbox's own loopback, leads every connection to the socket, starts the command and ends with it.
 */
export const bridgeSource = `
const net = require('node:net');
const { spawn } = require('node:child_process');
const fail = (code, error) => { process.stderr.write('The way out of the sandbox could not be opened: ' + error.message + '\\n'); process.exit(code); };
const server = net.createServer((inner) => {
  const outer = net.connect('/run/egress/proxy.sock');
  const end = () => { inner.destroy(); outer.destroy(); };
  inner.on('error', end).on('close', end).pipe(outer);
  outer.on('error', end).on('close', end).pipe(inner);
});
server.on('error', (error) => fail(125, error));
server.listen(3128, '127.0.0.1', () => {
  const [program, ...rest] = process.argv.slice(1);
  const child = spawn(program, rest, { stdio: 'inherit' });
  child.on('error', (error) => { process.stderr.write(error.message + '\\n'); process.exit(error.code === 'ENOENT' ? 127 : 126); });
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + require('node:os').constants.signals[signal]));
});
`;
