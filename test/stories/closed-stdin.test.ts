import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startOpenAiServer, type ModelServer } from '../servers/openai-server.ts';
import { newInstallation, type Installation } from './installation.ts';

const world: { one: Installation; server: ModelServer } = Object.create(null);

before(async () => {
  const server = await startOpenAiServer({
    respond: ({ body }) =>
      JSON.stringify(body['messages']).includes('"hello"') && !JSON.stringify(body).includes('call_') ? { toolCalls: [write] } : {},
  });
  const one = newInstallation({ openAi: server.baseUrl, agentYaml: 'grants: { fs.read: {}, fs.write: { ask: true } }\ntask: Do it.\n' });
  await one.cli(['ask', 'hello', '--json', '--approvals', 'wait']);
  Object.assign(world, { one, server });
});

after(async () => {
  await world.server.close();
  world.one[Symbol.dispose]();
});

const write = { name: 'fs_write', args: { path: 'a.md', content: 'x' } };
const unknownRun = `run_${'0'.repeat(26)}`;

/** Every command with the exit code it has when nobody can answer, with good input and with bad. */
const commands: readonly (readonly [args: readonly string[], code: number])[] = [
  [['--version'], 0],
  [['--help'], 0],
  [[], 0],
  [['bogus'], 2],
  [['init'], 2],
  [['init', '--template', 'bogus'], 2],
  [['init', '--agent', 'Not A Name'], 2],
  [['ask', 'hello', '--approvals', 'terminal'], 4],
  [['ask', 'hello', '--approvals', 'wait'], 4],
  [['ask', '-'], 2],
  [['ask'], 2],
  [['ask', 'hello', '--agent', 'nobody'], 2],
  [['ask', 'hello', '--model', 'nonsense'], 2],
  [['ask', 'hello', '--max-turns', 'x'], 2],
  [['ask', 'hello', '--max-seconds', '-1'], 2],
  [['ask', 'hello', '--approvals', 'maybe'], 2],
  [['ask', 'hello', '--session', 'mine'], 2],
  [['ask', 'hello', '--bogus'], 2],
  [['run'], 0],
  [['runs'], 0],
  [['broker', 'grants'], 0],
  [['broker', 'revoke'], 2],
  [['broker', 'restore', '--run', 'x'], 2],
  [['runs', 'list', '--limit', '0'], 2],
  [['runs', 'list', '--state', 'bogus'], 2],
  [['runs', 'list', '--agent', '../x'], 2],
  [['runs', 'show'], 0],
  [['runs', 'show', unknownRun], 2],
  [['runs', 'show', 'nonsense'], 2],
  [['runs', 'show', '--diff'], 0],
  [['runs', 'tail'], 0],
  [['runs', 'stop'], 2],
  [['runs', 'resume', unknownRun], 2],
  [['runs', 'resume', '--approvals', 'maybe'], 2],
  [['runs', 'replay'], 0],
  [['runs', 'replay', '--policy', 'nowhere.yaml'], 2],
  [['runs', 'undo'], 0],
  [['runs', 'prune'], 2],
  [['runs', 'prune', '--older-than', 'x'], 2],
  [['runs', 'prune', '--older-than', '9'], 0],
  [['agents', 'list'], 0],
  [['agents', 'show', 'main'], 0],
  [['agents', 'show', 'nobody'], 2],
  [['agents', 'new', 'main'], 2],
  [['agents', 'new', 'Bad Name'], 2],
  [['agents', 'validate'], 0],
  [['agents'], 2],
  [['approvals', 'list'], 0],
  [['approvals', 'show', 'nonsense'], 2],
  [['approvals', 'approve', `apr_${'0'.repeat(26)}`], 2],
  [['tools'], 2],
  [['tools', 'list'], 0],
  [['tools', 'show', 'fs.read'], 0],
  [['tools', 'show', 'bogus'], 2],
  [['tools', 'call', 'fs.read', '--args', '{'], 2],
  [['tools', 'call', 'fs.read', '--args', '{"path":"../x"}'], 3],
  [['audit', 'tail'], 0],
  [['audit', 'tail', '--count', 'x'], 2],
  [['audit', 'query', '--type', 'bogus'], 2],
  [['audit', 'query', '--since', 'yesterdayish'], 2],
  [['audit', 'verify'], 0],
  [['audit', 'verify', '--dir', 'nowhere'], 2],
  [['audit', 'verify', '--checkpoint', 'nowhere'], 2],
  [['audit', 'export', '--out', '.'], 2],
  [['workflows', 'list'], 0],
  [['workflows', 'history'], 0],
  [['workflows', 'run', 'nothing'], 2],
  [['workflows', 'show', 'nothing'], 2],
  [['cron', 'add', '--every', '1h', '--workflow', 'nothing'], 2],
  [['cron'], 2],
  [['cron', 'list'], 0],
  [['cron', 'history'], 0],
  [['cron', 'history', '--limit', 'x'], 2],
  [['cron', 'show', 'nobody'], 2],
  [['cron', 'run', 'nobody'], 2],
  [['cron', 'pause', 'nobody'], 2],
  [['cron', 'add'], 2],
  [['cron', 'add', '--cron', '61 * * * *'], 2],
  [['cron', 'add', '--every', '1h', '--at', 'tomorrow'], 2],
  [['cron', 'add', '--every', '1h', '--id', '../x'], 2],
  [['cron', 'add', '--every', '1h', '--notify-file', '../x'], 2],
  [['cron', 'add', '--every', '1h', '--notify-url', 'https://example.org/x'], 2],
  [['cron', 'add', '--every', '1h', '--notify-url', 'http://10.0.0.1/x', '--notify-secret', 'KEY'], 2],
  [['cron', 'add', '--every', '1h'], 0],
  [['config', 'get'], 0],
  [['config', 'get', '__proto__'], 2],
  [['config', 'set', 'model', '{'], 2],
  [['config', 'set', 'limits.turns', '-3'], 2],
  [['config', 'set', 'bogus.key', '1'], 2],
  [['config', 'validate'], 0],
  [['config', 'schema', 'bogus'], 2],
  [['config', 'path'], 0],
  [['policy', 'show'], 0],
  [['policy', 'check'], 0],
  [['policy', 'explain', unknownRun, '1.1'], 2],
  [['policy', 'simulate', 'nowhere.yaml'], 2],
];

/** Runs it with standard input closed from the start: nothing can be asked, and nothing waits. */
async function run(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
  const child = spawn(process.execPath, [main, ...args], { cwd: world.one.root, env: world.one.env, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (said.stderr += text));
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, ...said };
}

/** What is wrong with the answer of one command: bad input as JSON, every fifth of it as text too. */
async function problemsOf(args: readonly string[], code: number, isTextToo: boolean): Promise<string[]> {
  const name = `clawhold ${args.join(' ')}`;
  if (code !== 2) {
    const { code: found, stdout, stderr } = await run(args);
    return found === code ? [] : [`${name}: exit ${found} instead of ${code}: ${stdout}${stderr}`];
  }
  const json = await run([...args, '--json']);
  const document = parse(json.stdout);
  const isWell = json.code === code && document?.ok === false && document.error.code !== '' && document.error.remedy === 'fix-request';
  const problems = isWell && /^\S[^\n]+$/.test(document.error.message) ? [] : [`${name} --json: ${json.code} ${json.stdout}${json.stderr}`];
  if (!isTextToo) return problems;
  const text = await run(args);
  const isSentence = text.code === code && text.stdout === '' && /^clawhold: \S[^\n]+\n$/.test(text.stderr);
  return isSentence ? problems : [...problems, `${name}: ${text.code} ${text.stdout}${text.stderr}`];
}

function parse(text: string): { ok: boolean; error: { code: string; message: string; remedy: string } } | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

test('every command ends with its documented exit code when standard input is closed, and says bad input in one sentence', async () => {
  const left = [...commands];
  const problems: string[] = [];

  const work = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      problems.push(...(await problemsOf(...next, left.length % 5 === 0)));
  };
  await Promise.all([work(), work(), work()]);

  assert.deepEqual(problems, []);
});
