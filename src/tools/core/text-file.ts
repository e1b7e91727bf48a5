/** The file's text when it is UTF-8 without NUL; a byte order mark stays as its first character. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // silent-ok: the answer is "not text"
    return undefined;
  }
}

const signatures: readonly (readonly [string, string])[] = [
  ['89504e47', 'PNG image'],
  ['ffd8ff', 'JPEG image'],
  ['47494638', 'GIF image'],
  ['25504446', 'PDF document'],
  ['504b0304', 'ZIP archive or office document'],
  ['1f8b', 'gzip data'],
  ['7f454c46', 'ELF program'],
  ['53514c697465', 'SQLite database'],
  ['fffe', 'UTF-16 text'],
  ['feff', 'UTF-16 text'],
];

/** A name for bytes that are not UTF-8 text. */
export function binaryKind(bytes: Uint8Array): string {
  const head = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  return signatures.find(([signature]) => head.startsWith(signature))?.[1] ?? 'binary data';
}
