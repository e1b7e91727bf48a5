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
    ...(code === 'control.over-rate' ? { retryAfterSeconds: 60 } : {}),
    ...(quota === undefined ? {} : { quota, retryAfterSeconds: quota.name === 'usdPerDay' ? 3600 : 5 }),
  });
}

/** What is not here is a conflict with how things stand: 409. */
const statusOfCode: Readonly<Record<string, number>> = {
  'control.role-not-allowed': 403,
  'control.tenant-suspended': 403,
  'control.tenant-invalid': 403,
  'control.unknown-tenant': 403,
  'control.project-not-allowed': 403,
  'control.lane-not-allowed': 403,
  'control.lane-closed': 403,
  'control.no-lane': 400,
  'control.over-rate': 429,
  'control.model-not-allowed': 403,
  'control.model-unpriced': 403,
  'control.unknown-agent': 404,
  'control.unknown-session': 404,
  'control.unknown-run': 404,
  'control.bad-key': 400,
  'control.input-too-large': 413,
  'control.key-reused': 422,
  'control.over-quota': 429,
};

function statusOf({ code, quota }: Refused): number {
  return quota === undefined ? (statusOfCode[code] ?? 409) : 429;
}
