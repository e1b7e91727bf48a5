import type { Admission } from '../contracts/admission.ts';
import { RequestRefusedError } from './request-refused-error.ts';

type Admitted = Extract<Admission, { outcome: 'admitted' }>;
type Refused = Extract<Admission, { outcome: 'refused' }>;

/** What was admitted. @throws RequestRefusedError with the status that the refusal's kind has. */
export function admittedOr(admission: Admission): Admitted {
  if (admission.outcome === 'admitted') return admission;
  const { code, message, quota } = admission;
  const status = statusOf(admission);
  throw new RequestRefusedError(status, code, message, {
    remedy: status === 429 ? 'retry' : 'fix-request',
    ...(quota === undefined ? {} : { quota, retryAfterSeconds: quota.name === 'usdPerDay' ? 3600 : 5 }),
  });
}

function statusOf({ code, quota }: Refused): number {
  if (quota !== undefined) return 429;
  if (/unknown/.test(code)) return 404;
  if (/suspended|not-allowed|role/.test(code)) return 403;
  if (/key/.test(code)) return 422;
  return 409;
}
