/** A path as an agent writes it, read: which root, and the normalized path beneath it. */
export type AgentPath = { readonly ok: true; readonly root: string; readonly path: string } | { readonly ok: false; readonly why: string };

const maxLength = 4096;
/** Most paths: nothing to look for, and the classes of what hides cost 1 ms to make. */
const plain = /^[\x20-\x7e]*$/;
const rootPrefix = /^([a-z][a-z0-9-]{0,62}):/;

/**
 * The only reading of a path that an agent gives: policy and file tools share it, so that no path means one thing to
 * the decision and another to the disk. Lexical and pure; links are the file guard's business.
 *
 * Contract: `path` is relative, has single `/` between parts, neither `.` nor `..` parts, and is `.` for the root itself.
 *
 * @param rootNames the agent's named read-only roots; `workspace` and `agent` always exist.
 */
export function readAgentPath(raw: unknown, rootNames: readonly string[]): AgentPath {
  if (typeof raw !== 'string') return { ok: false, why: 'is not text' };
  if (raw.length > maxLength) return { ok: false, why: `has more than ${maxLength} characters` };
  const hidden = plain.test(raw) ? null : /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u.exec(raw);
  if (hidden !== null) {
    const code = (hidden[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return { ok: false, why: `has the invisible character U+${code}` };
  }
  if (raw.includes('\\')) return { ok: false, why: 'has a backslash; its parts are separated by /' };
  const prefix = rootPrefix.exec(raw);
  const root = prefix?.[1] ?? 'workspace';
  if (root !== 'workspace' && root !== 'agent' && !rootNames.includes(root)) {
    return { ok: false, why: `begins with "${root}:", but there is no such root` };
  }
  return normalize(root, prefix === null ? raw : raw.slice(prefix[0].length));
}

function normalize(root: string, text: string): AgentPath {
  if (text.startsWith('/')) return { ok: false, why: 'is absolute; write it relative to a root' };
  if (/^[A-Za-z]:/.test(text)) return { ok: false, why: 'names a drive; write it relative to a root' };
  if (text === '~' || text.startsWith('~/')) return { ok: false, why: 'begins with ~; write it relative to a root' };
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return { ok: false, why: 'leads out of its root through ..' };
  }
  return { ok: true, root, path: parts.length === 0 ? '.' : parts.join('/') };
}
