import type { Finder, Span } from './find.ts';

/**
 * `NAME=value`, `name: value`, `"name": "value"`, escaped JSON, query strings and headers, on one line: the name
 * stays, the value is hidden. An environment variable's name is enough; a lower-case name needs a value that looks
 * like a credential, because source code is full of words such as token and key.
 */
export const findAssignments: Finder = (text) => {
  const spans: Span[] = [];
  if (!secretWord.test(text)) return spans;
  head.lastIndex = 0;
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const kind = nameKind(match[1] ?? '');
    if (kind === 'plain') continue;
    const span = valueSpan(text, match, kind);
    if (span === undefined) continue;
    spans.push(span);
    head.lastIndex = span.end;
  }
  return spans;
};

/** The value that begins where the head ends; undefined when it is none that must be hidden. */
function valueSpan(text: string, match: RegExpExecArray, kind: Exclude<NameKind, 'plain'>): Span | undefined {
  given.lastIndex = head.lastIndex;
  const { open = '', quoted, bare = '' } = given.exec(text)?.groups ?? {};
  const before = text.charAt(match.index - 1);
  const shown = quoted ?? trimBare(bare, before === '?' || before === '&');
  if (!isSecretValue(shown, kind, open !== '')) return undefined;
  const start = head.lastIndex + open.length;
  return { start, end: endOfLong(text, start + shown.length, shown.length), name: 'assignment' };
}

/** Whether a value under this name is hidden when both stand apart, as in a JSON object. */
export function isSecretField(name: string, value: string): boolean {
  const kind = nameKind(name);
  return kind !== 'plain' && isSecretValue(value, kind, true);
}

/** Every name that can be secret holds one of these; a stream holds a line back from the first one on. */
export const secretWord = /key|token|secret|passw|passphrase|pwd|pass|credential|auth|bearer|basic|cookie|-----begin/i;

/** A name, perhaps quoted, and `=` or `:`; no comparison, arrow or URL. */
const head = /(?<![A-Za-z0-9_$])([A-Za-z_][A-Za-z0-9_.-]{1,80})\\{0,3}["'`]?[ \t]{0,4}(?:=(?![=>~])|:(?![:/=]))[ \t]{0,8}/g;
const maxJudged = 2000;
const rest = /[^\s"'`\\]*/y;
/** To the same quote or the line's end, or to the next space or quote. */
const given = /(?:(?<open>\\{0,3}["'`])(?<quoted>(?:(?!\k<open>)[^\n]){1,2000})|(?<bare>(?:[^\s"'`\\]|\\(?![nrt"'`\\])){1,2000}))/y;

/** A value longer than what is looked at to judge it is hidden to its end. */
function endOfLong(text: string, end: number, length: number): number {
  if (length < maxJudged) return end;
  rest.lastIndex = end;
  rest.exec(text);
  return rest.lastIndex;
}

type NameKind = 'plain' | 'variable' | 'password' | 'token';

function nameKind(name: string): NameKind {
  if (!secretWord.test(name)) return 'plain';
  if (/^[A-Z][A-Z0-9_]*$/.test(name)) return isSecretVariable(name) ? 'variable' : 'plain';
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[ _.-]+/)
    .join(' ')
    .trim();
  if (
    /(?:^| )(?:passwd|password|passphrase|pwd|secret|client secret|(?:api|access|private|secret|signing|encryption|account) ?key|apikey)$/.test(
      words,
    )
  )
    return 'password';
  if (/(?:^| )(?:token|authtoken|credentials?|authorization|cookie)$/.test(words)) return 'token';
  return 'plain';
}

function isSecretVariable(name: string): boolean {
  if (/(?:^|_)PUBLIC_KEY$|^(?:OLD)?PWD$|(?:^|_)KEY_ID$/.test(name)) return name.endsWith('ACCESS_KEY_ID');
  return /(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|_PWD|PASS|CREDENTIALS?|_AUTH|COOKIE)$|SECRET|PASSWORD|PRIVATE_KEY|API_KEY|ACCESS_TOKEN|AUTH_TOKEN/.test(
    name,
  );
}

/** What ends a bare value in code, lists and query strings does not belong to it. */
function trimBare(value: string, isQuery: boolean): string {
  const cut = isQuery ? value.search(/[&#]/) : -1;
  return (cut === -1 ? value : value.slice(0, cut)).replace(/[,;)\]}]{1,8}$/, '');
}

const placeholder =
  /^(?:true|false|null|none|nil|undefined|yes|no|on|off|string|text|number|required|optional|\*+|x{3,}|\.{3,}|changeme|<[A-Za-z].*|\[(?:redacted:[^\]]*\])?|\$.*|%[A-Z_]+%|\{.*|process\.env.*|import\.meta.*|os\.environ.*|env\..*|ENV\[.*)$/i;

function isSecretValue(value: string, kind: Exclude<NameKind, 'plain'>, isQuoted: boolean): boolean {
  if (value === '' || placeholder.test(value)) return false;
  if (!isQuoted && /^[A-Za-z_$][A-Za-z0-9_$.]{0,80}\(/.test(value)) return false;
  if (kind === 'variable') return !/^[0-9]{1,3}$/.test(value);
  if (/\s|^[({]|^[\^~<>=v]{0,2}[0-9]+(?:\.[0-9A-Za-z-]+)+$/.test(value)) return false;
  const hasDigit = /[0-9]/.test(value);
  if (kind === 'password') return value.length >= 4 && (isQuoted ? !/^[A-Za-z]+\(/.test(value) : hasDigit && value.length >= 6);
  return value.length >= 8 && hasDigit && /[A-Za-z]/.test(value);
}
