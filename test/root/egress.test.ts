import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { filesBelow } from '../stories/installation.ts';
import { whyNot } from './needs.ts';
import { newShellStory, type ShellStory } from './shell-story.ts';

const skip = whyNot('bwrap') ?? false;
const value = 'correct-horse-battery-7-staple'; // not-a-secret: made up

interface Api {
  readonly port: number;
  readonly seen: IncomingMessage[];
}

/** A service on this machine that wants a key, and repeats it in its answer. */
async function startApi(t: TestContext): Promise<Api> {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    const isKnown = request.headers.authorization === `Bearer ${value}`;
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'text/plain' });
    response.end(`${isKnown ? 'welcome' : 'who are you'}: ${request.headers.authorization ?? 'nothing'}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

function yaml({ port }: Api): { readonly agentYaml: string; readonly clawholdYaml: string } {
  return {
    agentYaml: `workspace: workspace\nsandbox:\n  network: { hosts: ["api.test:${port}"] }\ngrants:\n  http.fetch: { hosts: ["api.test:${port}"] }\n  shell.exec: { commands: ["/run/clawhold/node **"] }\n`,
    clawholdYaml: `egress: { loopback: ["api.test:${port}"] }\n`,
  };
}

async function keep(story: ShellStory, { port }: Api): Promise<void> {
  const { code, stderr } = await story.one.cli(['secrets', 'set', 'API_KEY', '--host', `api.test:${port}`], { stdin: `${value}\n` });
  assert.equal(code, 0, stderr);
}

function fetching(url: string): string[] {
  const script = `fetch(${JSON.stringify(url)}, { headers: { authorization: 'Bearer ' + process.env.API_KEY } }).then(async (r) => console.log(r.status, await r.text()), (e) => { console.log('failed', e.cause?.code ?? e.message); process.exit(3); })`;
  return ['/run/clawhold/node', '-e', script];
}

test('an agent calls a granted service with a secret that it never sees, by tool and by command, and no other', { skip }, async (t) => {
  const [api, other] = [await startApi(t), await startApi(t)];
  await using story = newShellStory(yaml(api));
  await keep(story, api);
  // A human names the header: where a value goes must come from what humans wrote.
  story.one.write(
    '.clawhold/tenants/default/agents/main/TOOLS.md',
    'The service wants the header authorization: Bearer {{secret:API_KEY}}\n',
  );

  const { finished, told } = await story.ask([
    [['http_fetch', { url: `http://api.test:${api.port}/a`, headers: { authorization: 'Bearer {{secret:API_KEY}}' } }]],
    [['shell_exec', { argv: fetching(`http://api.test:${api.port}/b`) }]],
    [['shell_exec', { argv: fetching(`http://127.0.0.1:${other.port}/c`) }]],
    [['shell_exec', { argv: fetching(`http://api.test:${other.port}/d`) }]],
    [
      [
        'shell_exec',
        {
          argv: [
            '/run/clawhold/node',
            '-e',
            `require('net').connect(${api.port}, '127.0.0.1').on('error', (e) => console.log('direct', e.code)).on('connect', () => console.log('direct connected'))`,
          ],
        },
      ],
    ],
    [['shell_exec', { argv: ['/run/clawhold/node', '-e', 'console.log(JSON.stringify(process.env))'] }]],
  ]);

  assert.equal(finished.code, 0, finished.stderr + finished.stdout);
  assert.match(told[0] ?? '', /200[^]*welcome/);
  assert.match(told[1] ?? '', /200 welcome/);
  assert.match(told[2] ?? '', /403|failed/);
  assert.match(told[3] ?? '', /403|failed/);
  assert.match(told[4] ?? '', /direct ECONNREFUSED/);
  assert.match(told[5] ?? '', /API_KEY/);
  assert.equal(api.seen.length, 2);
  assert.equal(other.seen.length, 0);
  assert.doesNotMatch(told.join('\n'), /battery/);
  for (const [name, bytes] of filesBelow(story.one.home)) assert.ok(!bytes.includes('battery'), `${name} holds the secret`);
  const ledger = (await story.one.cli(['audit', 'query', '--run', finished.json.run, '--json'])).stdout;
  assert.match(ledger, /"type":"egress\.open"/);
  assert.equal((await story.one.cli(['audit', 'verify', '--schema'])).code, 0);
});

test('a host that the platform does not allow refuses the run, and names the rule', { skip }, async (t) => {
  const api = await startApi(t);
  await using story = newShellStory(yaml(api));
  story.one.write(
    '.clawhold/policies/platform.yaml',
    `version: 1\nrules:\n  - { id: tools, allow: [http.fetch, shell.exec] }\n  - id: no-test-hosts\n    deny: http.fetch\n    hosts: ["*.test", "api.test:${api.port}"]\n`,
  );

  const { finished } = await story.ask([]);

  assert.equal(finished.code, 2, finished.stdout);
  assert.equal(finished.json.error.code, 'worker.host-not-allowed');
  assert.match(finished.json.error.message, /no-test-hosts/);
});

test('without sandbox.network a command reaches nothing, though http.fetch may', { skip }, async (t) => {
  const api = await startApi(t);
  const { agentYaml, clawholdYaml } = yaml(api);
  await using story = newShellStory({
    agentYaml: agentYaml.replace(/sandbox:\n.*\n/, '').replace('/run/clawhold/node **', 'sh **'),
    clawholdYaml,
  });

  const { told } = await story.ask([
    [['http_fetch', { url: `http://api.test:${api.port}/a` }]],
    [['shell_exec', { argv: ['sh', '-c', 'ls /run/egress /run/clawhold; env | grep -i proxy; cat /proc/net/route | wc -l'] }]],
  ]);

  assert.match(told[0] ?? '', /401/);
  assert.doesNotMatch(told[1] ?? '', /proxy\.sock|http_proxy/);
});
