import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readTokens, type Token } from './read-tokens.ts';

/**
 * Calls that have no place in this program, whatever the reason. Tests are not scanned: they hold attacks.
 *
 * A line that must keep one carries `// sast-ok: <reason>`.
 */
interface Rule {
  readonly name: string;
  readonly why: string;
  /** Whether the rule is broken at this token. */
  breaks(tokens: readonly Token[], at: number, file: FileFacts): boolean;
}

interface FileFacts {
  /** Names bound from `node:child_process`, the namespace included. */
  readonly childProcess: ReadonlySet<string>;
  readonly loadsChildProcess: boolean;
}

const isWord = (token: Token | undefined, text: string): boolean => token?.kind === 'word' && token.text === text;
const isText = (token: Token | undefined): boolean => token?.kind === 'string' || token?.kind === 'template';

/** `http://` names that are identifiers or loopback: nothing is sent anywhere. */
const harmlessHttp = /^http:\/\/(?:localhost|127\.\d+\.\d+\.\d+|\[::1\]|json-schema\.org|www\.w3\.org|\$\{)/;

const rules: readonly Rule[] = [
  {
    name: 'child_process.exec',
    why: 'exec hands a string to a shell: use spawn or execFile with a list of arguments.',
    breaks: (tokens, at, file) => {
      const token = tokens[at]!;
      if (token.kind !== 'word' || (token.text !== 'exec' && token.text !== 'execSync')) return false;
      return tokens[at - 1]?.text === '.' ? file.childProcess.has(tokens[at - 2]?.text ?? '') : file.childProcess.has(token.text);
    },
  },
  {
    name: 'shell option',
    why: 'a shell reads more into an argument than the program meant: leave the option out.',
    breaks: (tokens, at, file) =>
      file.loadsChildProcess && isWord(tokens[at], 'shell') && tokens[at + 1]?.text === ':' && !isWord(tokens[at + 2], 'false'),
  },
  {
    name: 'eval',
    why: 'text must never become code.',
    breaks: (tokens, at) => isWord(tokens[at], 'eval') && tokens[at + 1]?.text === '(',
  },
  {
    name: 'new Function',
    why: 'text must never become code.',
    breaks: (tokens, at) => isWord(tokens[at], 'Function') && tokens[at + 1]?.text === '(',
  },
  {
    name: 'node:vm',
    why: 'node:vm is no boundary: code in it escapes.',
    breaks: (tokens, at) => tokens[at]?.kind === 'string' && (tokens[at].text === 'node:vm' || tokens[at].text === 'vm'),
  },
  {
    name: 'http without TLS',
    why: 'outside loopback everything goes over https.',
    breaks: (tokens, at) => isText(tokens[at]) && /^http:\/\/./.test(tokens[at]!.text) && !harmlessHttp.test(tokens[at]!.text),
  },
  {
    name: 'TLS without verification',
    why: 'a connection that anybody can read is not one.',
    breaks: (tokens, at) =>
      (isWord(tokens[at], 'rejectUnauthorized') && tokens[at + 1]?.text === ':' && !isWord(tokens[at + 2], 'true')) ||
      (tokens[at]?.text.includes('NODE_TLS_REJECT_UNAUTHORIZED') ?? false),
  },
  {
    name: 'listener on every interface',
    why: 'nothing listens outside loopback.',
    breaks: (tokens, at) =>
      tokens[at]?.kind === 'string' &&
      (tokens[at].text === '0.0.0.0' || tokens[at].text === '::') &&
      /^[,:(]$/.test(tokens[at - 1]?.text ?? ''),
  },
  {
    name: 'listener',
    why: 'only the gateway answers, through its table of routes: a second listener would have no authentication.',
    breaks: (tokens, at) => isWord(tokens[at], 'createServer') || isWord(tokens[at], 'createSecureServer'),
  },
  {
    name: 'weak hash',
    why: 'MD5 and SHA-1 collide: use SHA-256.',
    breaks: (tokens, at) => tokens[at]?.kind === 'string' && /^(?:md5|sha-?1)$/i.test(tokens[at].text),
  },
  {
    name: 'Math.random',
    why: 'it can be guessed: use node:crypto.',
    breaks: (tokens, at) => isWord(tokens[at], 'random') && tokens[at - 1]?.text === '.' && isWord(tokens[at - 2], 'Math'),
  },
];

export interface Breach {
  readonly line: number;
  readonly rule: string;
  readonly why: string;
}

export function scanSource(source: string): Breach[] {
  const tokens = readTokens(source);
  const lines = source.split('\n');
  const facts = factsOf(tokens);
  const breaches: Breach[] = [];
  for (const at of tokens.keys()) {
    for (const rule of rules) {
      if (!rule.breaks(tokens, at, facts)) continue;
      const line = source.slice(0, tokens[at]!.at).split('\n').length;
      if (!/\/\/ sast-ok: \S/.test(lines[line - 1] ?? '')) breaches.push({ line, rule: rule.name, why: rule.why });
    }
  }
  return breaches;
}

/** Which names of a file mean `node:child_process` or one of its functions. */
function factsOf(tokens: readonly Token[]): FileFacts {
  const childProcess = new Set<string>();
  let loadsChildProcess = false;
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'string' || !/^(?:node:)?child_process$/.test(token.text)) continue;
    loadsChildProcess = true;
    for (let i = at - 1; i >= 0 && tokens[i]!.text !== ';' && tokens[i]!.kind !== 'string'; i -= 1) {
      if (tokens[i]!.kind === 'word') childProcess.add(tokens[i]!.text);
      if (['import', 'const', 'let', 'var'].includes(tokens[i]!.text) && tokens[i + 1]?.text !== '(') break;
    }
  }
  return { childProcess, loadsChildProcess };
}

/** Every breach in the folder's sources, build scripts and benchmarks, one line each. */
export function scanSources(root: string): { readonly files: number; readonly breaches: readonly string[] } {
  // This file spells the rules out. Benchmarks run servers that play the model, on loopback.
  const files = globSync(['src/**/*.ts', 'build/**/*.ts', 'bench/**/*.ts'], { cwd: root }).filter(
    (file) => !/\.test\.ts$|^build\/sast\.ts$/.test(file) && !file.endsWith('conformance.ts'),
  );
  const breaches = files.flatMap((file) =>
    scanSource(readFileSync(path.join(root, file), 'utf8'))
      .filter(({ rule }) => rule !== 'listener' || !file.startsWith('bench/'))
      .map(({ line, rule, why }) => `${file}:${line}: ${rule}: ${why}`),
  );
  return { files: files.length, breaches };
}

if (import.meta.main) {
  const { files, breaches } = scanSources(path.join(import.meta.dirname, '..'));
  for (const breach of breaches) console.error(breach);
  console.log(`security scan: ${files} files, ${breaches.length} findings`);
  process.exitCode = breaches.length === 0 && files > 0 ? 0 : 1;
}
