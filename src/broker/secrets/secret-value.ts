import { FixRequestError } from '../../contracts/errors.ts';

/** Shorter ones would be found in ordinary text, and longer ones do not fit a header. */
const bounds = { min: 8, max: 8192 };

/**
 * A value as it was written, without the line's end.
 * @throws FixRequestError for one that could end a header or that cannot be told from ordinary text. It never shows the value.
 */
export function parseSecretValue(text: string): string {
  const value = text.replace(/\r?\n$/, '');
  if (value.length < bounds.min || value.length > bounds.max)
    throw bad(
      `has ${value.length} characters`,
      `it must have ${bounds.min} to ${bounds.max}, so that it can be found in what a server answers`,
    );
  if (!/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value))
    throw bad('holds a line break, a control character or a letter outside ASCII', 'no request could carry it');
  return value;
}

/**
 * Reads the value of a secret to its end. Arguments of a command are seen by every user of the machine, so this is the
 * only way in.
 * @throws FixRequestError as parseSecretValue.
 */
export async function readSecretValue(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of input) {
    const chunk = Buffer.from(part as Uint8Array);
    bytes += chunk.length;
    if (bytes > bounds.max + 2) throw bad(`has more than ${bounds.max} characters`, 'no header could carry it');
    parts.push(chunk);
  }
  return parseSecretValue(Buffer.concat(parts).toString('utf8'));
}

function bad(what: string, why: string): FixRequestError {
  return new FixRequestError('broker.bad-secret', `The value ${what}, and ${why}. Write the secret alone, in one line, to standard input.`);
}
