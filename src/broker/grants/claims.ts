import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod/mini';

/** What a token says, and what it is checked against. */
const claims = z.strictObject({
  id: z.string(),
  tool: z.string(),
  tenant: z.string(),
  run: z.string(),
  session: z.string(),
  agent: z.string(),
  executor: z.string(),
  lease: z.string(),
  hosts: z.array(z.string()),
  secret: z.optional(z.string()),
  policy: z.string(),
  expiresMs: z.number(),
});
export type Claims = z.infer<typeof claims>;

/** `claims.mac`: one algorithm, so that no header can choose another. */
export function signClaims(key: Uint8Array, held: Claims): string {
  const body = Buffer.from(JSON.stringify(held)).toString('base64url');
  return `${body}.${macOf(key, body).toString('base64url')}`;
}

export function verifyClaims(key: Uint8Array, token: string): Claims | undefined {
  const match = /^([A-Za-z0-9_-]{1,4096})\.([A-Za-z0-9_-]{43})$/.exec(token);
  if (match === null) return undefined;
  const mac = Buffer.from(match[2] ?? '', 'base64url');
  const wanted = macOf(key, match[1] ?? '');
  if (mac.length !== wanted.length || !timingSafeEqual(mac, wanted)) return undefined;
  return claims.parse(JSON.parse(Buffer.from(match[1] ?? '', 'base64url').toString('utf8')));
}

function macOf(key: Uint8Array, body: string): Buffer {
  return createHmac('sha256', key).update(`clawhold-grant-1.${body}`).digest();
}
