/** Characters that a person cannot see, or that reorder what a person sees: control, format (bidirectional, zero-width,
 * tag), line separators, lone surrogates, and everything Unicode calls ignorable. Made when a name is not plain: the
 * classes cost time. */
const unseen = (): RegExp => /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const ignorable = (): RegExp => /[\p{Cf}\p{M}\p{Default_Ignorable_Code_Point}]/gu;
const maxNameBytes = 255;

/** Folders that no tool enters, and the short names that Windows file systems give them. */
const protectedNames: ReadonlySet<string> = new Set(['.git', '.clawhold']);
const protectedShort = /^(?:git|clawho|gi[0-9a-f]{4}|cl[0-9a-f]{4})~\d+$/;
/** How the file guard names a file while it is being written. */
export const temporarySuffix = '.clawhold-tmp';

/** The common case, decided without folding: ASCII that no file system reads as anything else. */
const plainName = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,126}$/;
const plainPath = /^[A-Za-z0-9_./-]*$/;

function isPlain(name: string): boolean {
  return plainName.test(name) && !name.endsWith('.') && !/-tmp$/i.test(name);
}

/** Says what is wrong with one path component, as the end of the sentence "the path …"; undefined when nothing is. */
export function nameFault(name: string): string | undefined {
  if (isPlain(name)) return undefined;
  if (name === '..') return 'contains `..`; write it without, relative to the root';
  if (unseen().test(name)) return 'contains a control, bidirectional, zero-width or otherwise invisible character';
  if (name.includes('\\')) return 'contains a backslash; separate folders with `/`';
  if (name !== name.trim() || name.endsWith('.')) return 'has a name that begins or ends with a space or ends with a dot';
  if (Buffer.byteLength(name) > maxNameBytes) return `has a name longer than ${maxNameBytes} bytes`;
  if (isProtectedName(name)) return 'names a protected folder or file (`.git`, `.clawhold`), which no tool may touch';
  return undefined;
}

/**
 * Whether some file system would read the name as `.git` or `.clawhold`: any case, compatibility forms, ignored
 * characters and accents, trailing dots and spaces, alternate streams, 8.3 short names.
 */
export function isProtectedName(name: string): boolean {
  if (isPlain(name)) return false;
  const folded = fold(name);
  return protectedNames.has(folded) || protectedShort.test(folded) || folded.endsWith(temporarySuffix);
}

function fold(name: string): string {
  const plain = name.normalize('NFKD').replace(ignorable(), '').toUpperCase().toLowerCase().replace(ignorable(), '');
  return plain
    .replace(/:.*$/s, '')
    .replace(/[. ]+$/, '')
    .trimStart();
}

/**
 * Says what is wrong with a path if something on its way decoded it: percent escapes (also doubled, overlong UTF-8 and
 * `%uXXXX`) and compatibility characters such as the full-width dot. Nothing here is ever opened in decoded form.
 */
export function disguiseFault(path: string): string | undefined {
  if (plainPath.test(path)) return undefined;
  for (const reading of readings(path)) {
    const names = reading.split('/');
    if (names.length !== path.split('/').length) return 'contains a disguised `/`';
    const fault = names.map(nameFault).find((found) => found !== undefined);
    if (fault !== undefined) return `${fault} (after decoding)`;
  }
  return undefined;
}

function readings(path: string): string[] {
  const found = new Set<string>();
  let current = path;
  for (let round = 0; round < 4; round += 1) {
    found.add(current.normalize('NFKC'));
    const decoded = decodeEscapes(current);
    if (decoded === current) break;
    found.add(decoded);
    current = decoded;
  }
  found.delete(path);
  return [...found];
}

function decodeEscapes(path: string): string {
  return path
    .replace(/%(?:c0%ae|e0%80%ae)/gi, '.')
    .replace(/%(?:c0%af|e0%80%af)/gi, '/')
    .replace(/%c1%9c/gi, '\\')
    .replace(/%u([0-9a-f]{4})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
