import { SandboxRequestError } from '../sandbox-error.ts';

export interface CommandRequest {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Whole seconds of CPU time for each process. */
  readonly cpuSeconds?: number;
}

const envName = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Variables of the supervisor's script, and those that a shell refuses to set. */
const reserved = /^(_[a-z]*|IFS|UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_.*)$/;
const maxItems = 4096;

/** What the supervisor reads; see supervisor.ts. @throws SandboxRequestError for what no process can be given. */
export function encodeRequest(id: number, request: CommandRequest): string {
  checkArgv(request.argv);
  const env = Object.entries(request.env);
  for (const [name, value] of env) checkVariable(name, value);
  checkText('working folder', request.cwd);
  const items = [...env.map(([name, value]) => `${name}=${value}`), ...request.argv];
  const head = `${id} ${request.cpuSeconds ?? '-'} ${env.length} ${items.length}\n`;
  return head + [request.cwd, ...items].map(encodeText).join('');
}

export function checkVariable(name: string, value: string): void {
  if (!envName.test(name) || reserved.test(name)) {
    throw new SandboxRequestError(
      `The environment variable ${JSON.stringify(name)} was not set`,
      'Its name is not a plain one or belongs to the shell inside the sandbox',
      'Use letters, digits and underscores, and not a name that a shell reserves',
    );
  }
  checkText(`environment variable ${name}`, value);
}

function checkArgv(argv: readonly string[]): void {
  if (argv.length === 0 || argv[0] === '' || argv.length > maxItems) {
    throw new SandboxRequestError(
      `A command of ${argv.length} arguments was not run`,
      `It needs a program's name and at most ${maxItems} arguments`,
      'Correct the argument list',
    );
  }
  for (const argument of argv) checkText('argument', argument);
}

function checkText(what: string, text: string): void {
  if (!text.includes('\0')) return;
  throw new SandboxRequestError(
    `The ${what} ${JSON.stringify(text)} was not used`,
    'It holds a NUL byte, which no process can be given',
    'Remove it',
  );
}

function encodeText(text: string): string {
  let feeds = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) feeds += 1;
  return `${feeds}\n${text}\n`;
}
