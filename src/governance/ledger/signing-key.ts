import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { AskHumanError, ClawholdError, FixRequestError, reasonOf } from '../../contracts/errors.ts';

/** What signs the heads of a ledger. */
export interface SigningKey {
  /** The raw Ed25519 public key as 64 hex digits. */
  readonly publicKey: string;
  sign(text: string): string;
}

/**
 * Reads the private key; makes it on first use (Ed25519, PKCS #8, mode 0600, in a folder 0700). When two processes
 * make it at once, both use the one that was there first.
 *
 * `signed` is a place that was signed with it, if there is one: then a missing key was lost, and another one in its place
 * would continue nothing and stand in the way of the right one.
 * @throws FixRequestError when it cannot be read or made, is no Ed25519 key, or others may read it; AskHumanError when it was lost.
 */
export function loadSigningKey(keyFile: string, signed: () => string | undefined = () => undefined): SigningKey {
  try {
    if (!fs.existsSync(keyFile)) {
      refuseLostKey(keyFile, signed());
      makeKey(keyFile);
    }
    refuseOpenKey(keyFile);
    return keyFrom(createPrivateKey(fs.readFileSync(keyFile)), keyFile);
  } catch (error) {
    if (error instanceof ClawholdError) throw error;
    throw new FixRequestError(
      'governance.no-ledger-key',
      `The ledger's key ${keyFile} cannot be used: ${reasonOf(error)}. Make the file readable for you alone, or restore it from a backup.`,
      {
        cause: error,
      },
    );
  }
}

/** The public half, for verification; undefined when there is no key on this machine. */
export function readPublicKey(keyFile: string): string | undefined {
  return fs.existsSync(keyFile) ? loadSigningKey(keyFile).publicKey : undefined;
}

function refuseLostKey(keyFile: string, signed: string | undefined): void {
  if (signed === undefined) return;
  throw new AskHumanError(
    'governance.ledger-key-lost',
    `The ledger's key ${keyFile} is gone, and ${signed} was signed with it, so nothing can be recorded. Put the key back from where it is kept; without it, move the ledger folders away as evidence and begin new ones.`,
  );
}

function makeKey(keyFile: string): void {
  fs.mkdirSync(path.dirname(keyFile), { recursive: true, mode: 0o700 });
  const { privateKey } = generateKeyPairSync('ed25519');
  const temp = `${keyFile}.${randomBytes(6).toString('hex')}`;
  fs.writeFileSync(temp, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx', flush: true });
  try {
    // A link fails when the name is taken, where a rename would replace a key that somebody already signs with.
    fs.linkSync(temp, keyFile);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    fs.rmSync(temp, { force: true });
  }
  const folder = fs.openSync(path.dirname(keyFile), 'r');
  try {
    fs.fsyncSync(folder);
  } finally {
    fs.closeSync(folder);
  }
}

function refuseOpenKey(keyFile: string): void {
  const mode = fs.statSync(keyFile).mode & 0o777;
  const folderMode = fs.statSync(path.dirname(keyFile)).mode & 0o777;
  const why =
    (mode & 0o077) !== 0
      ? `its mode is ${mode.toString(8)}`
      : (folderMode & 0o022) !== 0
        ? `its folder's mode is ${folderMode.toString(8)}`
        : undefined;
  if (why === undefined || process.platform === 'win32') return;
  throw new FixRequestError(
    'governance.open-ledger-key',
    `The ledger's key ${keyFile} is not used: ${why}, so others could read or replace it and sign a forged ledger. Run chmod 600 on it and chmod 700 on its folder.`,
  );
}

function keyFrom(key: KeyObject, keyFile: string): SigningKey {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new FixRequestError(
      'governance.no-ledger-key',
      `The ledger's key ${keyFile} is of type ${key.asymmetricKeyType}, not Ed25519. Restore the right file.`,
    );
  }
  // As JWK the 32 bytes come as they are; OpenSSL's DER encoder costs 1 ms to load.
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return {
    publicKey: Buffer.from(x, 'base64url').toString('hex'),
    sign: (text) => sign(null, Buffer.from(text), key).toString('hex'),
  };
}
