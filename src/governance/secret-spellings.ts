/** Every way in which programs commonly write a value: what hides a secret, and what takes it out of an answer, look for these. */
export function secretSpellings(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8');
  const hex = bytes.toString('hex');
  const uri = encodeUri(value);
  const json = JSON.stringify(value).slice(1, -1);
  return [
    value,
    hex,
    hex.toUpperCase(),
    uri,
    uri.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    uri.replaceAll('%20', '+'),
    json,
    JSON.stringify(json).slice(1, -1),
    json.replaceAll('/', '\\/'),
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
    ...base64Spellings(bytes),
  ];
}

/** A lone surrogate has no URI spelling. */
function encodeUri(value: string): string {
  return value.isWellFormed() ? encodeURIComponent(value) : value;
}

/**
 * Base 64 of a value depends on where the value begins within a group of three bytes (`user:` + password shifts it):
 * all three, without the letters that the neighbours share. The standalone spelling keeps its padding off, so that
 * both padded and bare ones are found.
 */
function base64Spellings(bytes: Buffer): readonly string[] {
  const spellings: string[] = [];
  for (let shift = 0; shift < 3; shift += 1) {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const first = shift === 0 ? 0 : shift + 1;
    const total = shift + bytes.length;
    const whole = encoded.slice(first, Math.floor((total * 8) / 6));
    spellings.push(whole, whole.replaceAll('+', '-').replaceAll('/', '_'));
    if (shift === 0) spellings.push(encoded, encoded.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return spellings;
}
