import type { ChildProcess } from 'node:child_process';
import type { CliOptions, Finished, Installation, Document } from './installation.ts';

/** A real server process on a home, and a client with a token for it. */
export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;
  readonly done: Promise<Finished>;
  ask(
    method: string,
    target: string,
    body?: object,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ readonly status: number; readonly json: Document }>;
  /** Posts a message and gives the run's id. */
  post(input: string, more?: object): Promise<string>;
  /** Resolves with the run when it is in one of the states. */
  reached(run: string, ...states: readonly string[]): Promise<Document>;
}

export async function tokenOf(one: Installation, ...roles: readonly string[]): Promise<string> {
  const flags = (roles.length === 0 ? ['admin'] : roles).flatMap((role) => ['--role', role]);
  const made = await one.cli(['tokens', 'create', ...flags, '--json']);
  return made.json.secret;
}

export async function serveHome(
  one: Installation,
  args: readonly string[] = [],
  token?: string,
  options: Pick<CliOptions, 'detached'> = {},
): Promise<Served> {
  const secret = token ?? (await tokenOf(one));
  const { child, done } = one.start(['serve', '--port', '0', ...args, '--json'], { seconds: 900, ...options });
  const url = await addressOf(child, done);
  const ask: Served['ask'] = async (method, target, body, headers = {}) => {
    const response = await fetch(`${url}${target}`, {
      method,
      headers: { authorization: `Bearer ${secret}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : text };
  };
  return {
    url,
    child,
    done,
    ask,
    post: async (input, more = {}) => {
      const { status, json } = await ask('POST', '/api/v1/runs', { agent: 'main', input, ...more });
      if (status !== 202) throw new Error(`${status} ${JSON.stringify(json)}`);
      return json.run;
    },
    reached: async (run, ...states) => {
      for (;;) {
        const { json } = await ask('GET', `/api/v1/runs/${run}`);
        if (states.includes(json.run.state)) return { ...json, ...json.run };
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await done;
    },
  };
}

/** From the line that it prints when it is ready. */
async function addressOf(child: ChildProcess, done: Promise<Finished>): Promise<string> {
  const line = await Promise.race([
    new Promise<string>((resolve) => {
      let text = '';
      child.stdout?.on('data', (part: string) => {
        text += part;
        if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
      });
    }),
    done.then(({ stdout, stderr }) => {
      throw new Error(`it did not serve: ${stdout}${stderr}`);
    }),
  ]);
  const { url, error } = JSON.parse(line);
  if (url === undefined) throw new Error(`it did not serve: ${JSON.stringify(error)}`);
  return url;
}
