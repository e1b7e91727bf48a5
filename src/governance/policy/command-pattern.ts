import { FixRequestError } from '../../contracts/errors.ts';
import { fold } from './fold.ts';
import { wildcardMatches } from './glob.ts';

/** A command pattern, split into words once. */
export interface CommandPattern {
  readonly source: string;
  readonly words: readonly string[];
  readonly folded: readonly string[];
  /** It ends with `**`: any further words. */
  readonly isOpen: boolean;
}

const maxWords = 64;
/** What a shell would read as more than a letter: a pattern with it would mean less than it looks. */
const shellSign = /[;&|<>()$`"'\\{}[\]!~#]/;

/**
 * `npm test`, `git log -n *`, `node --test **`, or a list of exact words with the same signs.
 *
 * One word of the pattern stands for one word of the command: `*` and `?` stay within it, whatever characters it holds.
 * Only a last word `**` stands for any number of further words. The program is written out: no sign stands in it, so that
 * `./x`, `env` or another path of it is another program. `**` alone is every command.
 *
 * @throws FixRequestError when it is none of these.
 */
export function compileCommand(source: string | readonly string[]): CommandPattern {
  const shown = typeof source === 'string' ? source : JSON.stringify(source);
  const given = typeof source === 'string' ? splitWords(source) : source;
  const isOpen = given.at(-1) === '**';
  const words = isOpen ? given.slice(0, -1) : given;
  if (words.length > maxWords) throw bad(shown, `it has more than ${maxWords} words`);
  if (words.some((word) => word.includes('**'))) throw bad(shown, '** stands for further words only, as the last word');
  const [program] = words;
  if (program === undefined) return { source: shown, words, folded: [], isOpen };
  if (/[*?]/.test(program)) throw bad(shown, 'the program must be written out; only ** alone stands for every command');
  const fault = programFault(program);
  if (fault !== undefined) throw bad(shown, `its program ${fault}`);
  return { source: shown, words, folded: words.map((word, at) => fold(at === 0 ? programName(word) : word)), isOpen };
}

/** Why a first word names no program; undefined when it does. */
export function programFault(program: string): string | undefined {
  if (program === '') return 'is empty';
  if (!program.includes('/')) return program === '.' || program === '..' ? 'is a folder' : undefined;
  if (!program.startsWith('/')) return 'is a relative path; name it bare, as in npm, or by its absolute path, as in /workspace/build.sh';
  const parts = program.slice(1).split('/');
  return parts.some((part) => part === '' || part === '.' || part === '..') ? 'is a path with empty parts, . or ..' : undefined;
}

/** Exact: every word as written, none left over. */
export function commandAllowed(pattern: CommandPattern, argv: readonly string[]): boolean {
  if (pattern.isOpen ? argv.length < pattern.words.length : argv.length !== pattern.words.length) return false;
  return pattern.words.every((word, at) => (at === 0 ? word === argv[0] : wildcardMatches(word, argv[at] ?? '')));
}

/**
 * Wide: the words anywhere in the command, so that `env`, `xargs` and `nice` do not hide them; the program by its last
 * name, whatever its path; further words ignored. Text inside one word, as of `sh -c`, is not read.
 */
export function commandForbidden(pattern: CommandPattern, argv: readonly string[]): boolean {
  if (pattern.words.length === 0) return true;
  const folded = argv.map(fold);
  for (let start = 0; start + pattern.words.length <= argv.length; start += 1) {
    const isHere = pattern.folded.every((word, at) =>
      at === 0 ? word === fold(programName(argv[start] ?? '')) : wildcardMatches(word, folded[start + at] ?? ''),
    );
    if (isHere) return true;
  }
  return false;
}

export function isEveryCommand(pattern: CommandPattern): boolean {
  return pattern.words.length === 0;
}

function programName(word: string): string {
  return word.slice(word.lastIndexOf('/') + 1);
}

function splitWords(source: string): readonly string[] {
  if (shellSign.test(source))
    throw bad(
      source,
      'no shell reads it, so signs such as ; | $ and quotes mean nothing; write the words as a list to mean them literally',
    );
  if (/[^\S ]|\p{C}/u.test(source)) throw bad(source, 'it has white space other than plain spaces, or an invisible character');
  return source.split(' ').filter((word) => word !== '');
}

function bad(source: string, why: string): FixRequestError {
  return new FixRequestError('governance.bad-pattern', `The command ${JSON.stringify(source)} cannot be used: ${why}. Correct it.`);
}
