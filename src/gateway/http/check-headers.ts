import { RequestRefusedError } from '../request-refused-error.ts';

/**
 * Refuses what two readers could read in two ways: headers that decide something and stand there twice, a body that is
 * framed, packed or written otherwise than as it is read here.
 * @param raw names and values in turn, as they came
 * @throws RequestRefusedError
 */
export function checkHeaders(raw: readonly string[]): void {
  const seen = new Set<string>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const rule = rules.get(name);
    if (rule !== undefined && !rule.allows.test(raw[at + 1] ?? '')) throw new RequestRefusedError(rule.status, rule.code, rule.message);
    if (!single.has(name)) continue;
    const code = 'gateway.repeated-header';
    if (seen.has(name)) throw new RequestRefusedError(400, code, `The header ${name} stands there twice. Send it once.`);
    seen.add(name);
  }
}

interface HeaderRule {
  readonly allows: RegExp;
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const rules: ReadonlyMap<string, HeaderRule> = new Map([
  [
    'transfer-encoding',
    {
      allows: /^chunked$/i,
      status: 501,
      code: 'gateway.unknown-framing',
      message: 'The body may come in chunks and in no other coding. Leave Transfer-Encoding out.',
    },
  ],
  [
    'content-encoding',
    {
      allows: /^identity$/i,
      status: 415,
      code: 'gateway.packed-body',
      message: 'The body is packed, and nothing is unpacked here. Send it as it is.',
    },
  ],
  [
    'content-type',
    {
      allows: /^(?!.*charset)|charset="?utf-8"?\s*(?:;|$)/i,
      status: 415,
      code: 'gateway.not-utf8',
      message: 'The body is read as UTF-8, and its Content-Type says otherwise. Send it in UTF-8.',
    },
  ],
]);

const single: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'host',
  'idempotency-key',
  'last-event-id',
  'origin',
  'traceparent',
  'transfer-encoding',
  'x-clawhold-lane',
  'x-clawhold-project',
  'x-clawhold-session',
  'x-tenant-id',
]);
