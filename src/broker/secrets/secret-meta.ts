import * as z from 'zod/mini';

/** HTTP's own word for a header name. Source: RFC 9110, 5.6.2 */
const token = /^[!#$%&'*+\-.^_`|~0-9a-z]{1,64}$/;

/** Headers that decide where a request goes or where it ends: a value in them would be sent, or read, as something else. */
const structuralHeaders = new Set(['host', 'content-length', 'transfer-encoding', 'connection', 'te', 'trailer', 'upgrade', 'expect']);

export const placement = z.discriminatedUnion('in', [
  z.strictObject({
    in: z.literal('header'),
    /** Lower case. */
    name: z.string().check(
      z.regex(token, 'must be a header name in lower case'),
      z.refine((name) => !structuralHeaders.has(name), 'must not be a header that frames the request'),
    ),
  }),
  z.strictObject({
    in: z.enum(['query', 'body']),
    method: z.string().check(z.regex(/^[A-Z]{3,10}$/, 'must be one method in upper case')),
    /** Exactly this path: an allowed host could store what is sent to another. */
    path: z.string().check(z.regex(/^\/[!$&'()+,\-./0-9:;=@A-Z_a-z~]*$/, 'must be one path, without patterns')),
  }),
]);
/** Where a secret's value may stand in a request. */
export type Placement = z.infer<typeof placement>;

/** `host:port`; the host a name, never an address. */
export const secretHost = z
  .string()
  .check(z.regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+:[1-9][0-9]{0,4}$/, 'must be host:port in lower case'));

export const secretMeta = z.strictObject({
  version: z.literal(1),
  /** The only places that the value is ever sent to. */
  hosts: z.array(secretHost),
  place: z.array(placement),
  created: z.string(),
  rotated: z.optional(z.string()),
});
export type SecretMeta = z.infer<typeof secretMeta>;
