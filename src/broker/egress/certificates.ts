import { generateKeyPairSync, hash, randomBytes, sign, type KeyObject } from 'node:crypto';

/** A certificate authority that lives in memory, for one sandbox and its run. */
export interface CertificateAuthority {
  /** What the sandbox must trust. */
  readonly certificatePem: string;
  /** Certificate and key for one host that the authority vouches for. */
  issue(host: string): { readonly cert: string; readonly key: string };
}

/**
 * Makes an authority whose key never leaves the process and which may sign for hosts only, not for other authorities.
 * X.509 is written here because it is one fixed shape: P-256, SHA-256, six extensions. Source: RFC 5280
 */
export function createAuthority(nowMs: number): CertificateAuthority {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = `Clawhold egress ${randomBytes(6).toString('hex')}`;
  const signer = { name, key: authority.privateKey, keyId: keyIdOf(authority.publicKey) };
  const certificatePem = certify(
    { subject: name, publicKey: authority.publicKey, extensions: authorityExtensions(signer.keyId), nowMs },
    signer,
  );
  const key = leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const issued = new Map<string, { readonly cert: string; readonly key: string }>();
  return {
    certificatePem,
    issue(host) {
      const known = issued.get(host);
      if (known !== undefined) return known;
      const cert = certify(
        { subject: '', publicKey: leaf.publicKey, extensions: hostExtensions(host, leaf.publicKey, signer.keyId), nowMs },
        signer,
      );
      issued.set(host, { cert, key });
      return { cert, key };
    },
  };
}

interface Signer {
  readonly name: string;
  readonly key: KeyObject;
  readonly keyId: Buffer;
}

interface Subject {
  readonly subject: string;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly nowMs: number;
}

const hourMs = 3_600_000;
const ecdsaSha256 = sequence(oid('1.2.840.10045.4.3.2'));

function certify({ subject, publicKey, extensions, nowMs }: Subject, signer: Signer): string {
  // A positive number: the first bit is 0, the second 1, so that the length is always 16 bytes.
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const body = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, serial),
    ecdsaSha256,
    distinguishedName(signer.name),
    sequence(time(nowMs - hourMs), time(nowMs + 48 * hourMs)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, signer.key);
  const der = sequence(body, ecdsaSha256, tlv(0x03, Buffer.concat([Buffer.from([0]), signature])));
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`;
}

function authorityExtensions(keyId: Buffer): Buffer[] {
  return [
    // An authority beneath which no other may stand.
    extension('2.5.29.19', { isCritical: true }, sequence(tlv(0x01, Buffer.from([0xff])), tlv(0x02, Buffer.from([0])))),
    extension('2.5.29.15', { isCritical: true }, tlv(0x03, Buffer.from([1, 0x06]))),
    extension('2.5.29.14', { isCritical: false }, tlv(0x04, keyId)),
  ];
}

function hostExtensions(host: string, publicKey: KeyObject, authorityKeyId: Buffer): Buffer[] {
  return [
    extension('2.5.29.19', { isCritical: true }, sequence()),
    extension('2.5.29.15', { isCritical: true }, tlv(0x03, Buffer.from([7, 0x80]))),
    extension('2.5.29.37', { isCritical: false }, sequence(oid('1.3.6.1.5.5.7.3.1'))),
    // The subject is empty, so its alternative name is critical.
    extension('2.5.29.17', { isCritical: true }, sequence(tlv(0x82, Buffer.from(host, 'latin1')))),
    extension('2.5.29.14', { isCritical: false }, tlv(0x04, keyIdOf(publicKey))),
    extension('2.5.29.35', { isCritical: false }, sequence(tlv(0x80, authorityKeyId))),
  ];
}

function extension(id: string, { isCritical }: { readonly isCritical: boolean }, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [tlv(0x01, Buffer.from([0xff]))] : []), tlv(0x04, value));
}

function keyIdOf(publicKey: KeyObject): Buffer {
  return hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'buffer').subarray(0, 20);
}

function distinguishedName(commonName: string): Buffer {
  if (commonName === '') return sequence();
  return sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(commonName, 'utf8')))));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  return tlv(0x18, Buffer.from(`${text}Z`, 'latin1'));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

function tlv(tag: number, value: Buffer): Buffer {
  const { length } = value;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), value]);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 127];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left & 127) | 128);
    bytes.push(...digits);
  }
  return tlv(0x06, Buffer.from(bytes));
}
