import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { createRedactor, type Redactor } from '../src/governance/redact.ts';

/**
 * Finds keys that someone committed by mistake, in every file that git tracks or would track: by the shapes below, and
 * by those that the program itself hides in a run.
 *
 * A line of test data that only looks like a key carries `not-a-secret:` and the reason.
 */
const patterns: readonly (readonly [name: string, regex: RegExp])[] = [
  ['private key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['OpenAI or Anthropic key', /\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,}/],
  ['GitHub token', /\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})/],
  ['GitLab token', /\bglpat-[A-Za-z0-9_-]{20,}/],
  ['AWS access key', /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/],
  ['Google API key', /\bAIza[A-Za-z0-9_-]{35}/],
  ['Slack token', /\bxox[abeprs]-[A-Za-z0-9-]{10,}/],
  ['Slack webhook', /hooks\.slack\.com\/services\/T[A-Z0-9]+\/B[A-Z0-9]+\/\w+/],
  ['Telegram token', /\b\d{8,10}:AA[A-Za-z0-9_-]{32,}/],
  ['npm token', /\bnpm_[A-Za-z0-9]{36}\b/],
  ['Stripe key', /\b[rs]k_(?:live|test)_[A-Za-z0-9]{20,}/],
  ['JSON Web Token', /\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}/],
  ['password in a URL', /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@'"`$<>{}]+:[^\s:/@'"`$<>{}]{6,}@/],
];
const assigned = /(?:api[_-]?key|secret|token|passw(?:or)?d|credential)\w*['"]?\s*[:=]\s*['"]([A-Za-z0-9+/_.=-]{20,})['"]/i;
const marker = 'not-a-secret:';
const maxBytes = 5_000_000;

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
}

export function scanText(file: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const lines = text.split('\n');
  const redactor = createRedactor({ secrets: [], patterns: [] });
  for (const [i, line] of lines.entries()) {
    if (line.includes(marker) || lines[i - 1]?.includes(marker)) continue;
    const kind = patterns.find(([, regex]) => regex.test(line))?.[0] ?? assignedSecret(line) ?? hiddenShape(line, redactor);
    if (kind !== undefined) findings.push({ file, line: i + 1, kind });
  }
  return findings;
}

/** What the redactor calls a token by its shape. Its guess from a name beside a value is left to `assignedSecret`, which is stricter: source is full of such names. */
function hiddenShape(line: string, redactor: Redactor): string | undefined {
  const names = [...redactor.text(line).matchAll(/\[redacted:([^\]]+)\]/g)].map((match) => match[1]!);
  return names.find((name) => name !== 'assignment' && !line.includes(`[redacted:${name}]`));
}

/** A long value with many different letters and digits beside a word like `token`. */
function assignedSecret(line: string): string | undefined {
  const value = assigned.exec(line)?.[1];
  if (value === undefined || !/\d/.test(value) || !/[A-Za-z]/.test(value)) return undefined;
  return entropyBits(value) >= 3.7 ? 'assigned secret' : undefined;
}

/** Shannon entropy, in bits a letter. */
function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** Every tracked or untracked file of the folder's repository that is not ignored. */
export function scanRepository(folder: string): { readonly files: number; readonly findings: readonly Finding[] } {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: folder, encoding: 'utf8' });
  const findings: Finding[] = [];
  let files = 0;
  for (const file of listed.split('\0')) {
    const full = path.join(folder, file);
    const stat = file === '' ? undefined : statSync(full, { throwIfNoEntry: false });
    if (stat?.isFile() !== true || stat.size > maxBytes || file === 'package-lock.json') continue;
    files += 1;
    findings.push(...scanText(file, readFileSync(full, 'utf8')));
  }
  return { files, findings };
}

if (import.meta.main) {
  const { files, findings } = scanRepository(process.argv[2] ?? process.cwd());
  for (const { file, line, kind } of findings) {
    console.error(`${file}:${line}: looks like a ${kind}. Remove and revoke it; for test data add "${marker} <reason>" to the line.`);
  }
  console.log(`secret scan: ${files} files, ${findings.length} findings`);
  process.exitCode = findings.length === 0 && files > 0 ? 0 : 1;
}
