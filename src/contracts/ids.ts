import { randomUUID } from 'node:crypto';
import { FixRequestError } from './errors.ts';

export type RunId = string & { readonly brand: 'RunId' };
export type SessionId = string & { readonly brand: 'SessionId' };
export type TaskId = string & { readonly brand: 'TaskId' };
export type ApprovalId = string & { readonly brand: 'ApprovalId' };
export type TokenId = string & { readonly brand: 'TokenId' };
export type TenantId = string & { readonly brand: 'TenantId' };
export type AgentId = string & { readonly brand: 'AgentId' };

/** Crockford's base 32 in lower case: sorts like the bytes, no letters that look like digits. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const idShape = /^(run|ses|apr|tok|tsk)_[0-9a-hjkmnp-tv-z]{26}$/;
/** A name becomes a folder: no dots, no separators, no case, nothing a shell or a file system could read otherwise. */
const nameShape = /^[a-z][a-z0-9-]{0,62}$/;

/** A ULID: 48 bits of time, 80 random bits, so ids sort by creation. Source: https://github.com/ulid/spec */
function ulid(nowMs: number, random: Uint8Array | undefined): string {
  let time = nowMs;
  let head = '';
  for (let i = 0; i < 10; i += 1) {
    head = alphabet.charAt(time % 32) + head;
    time = Math.floor(time / 32);
  }
  if (random === undefined) return head + randomLetters();
  let tail = '';
  for (let i = 0; i < 16; i += 1) tail += alphabet.charAt((random[i] ?? 0) % 32);
  return head + tail;
}

/**
 * 16 letters of 5 random bits. Node keeps random bytes for UUIDs in store; asking for a few each time costs ten times as
 * much. Of a UUID's 32 digits all are random but the 13th and the 17th: its version and its variant.
 */
function randomLetters(): string {
  const digits = randomUUID().replaceAll('-', '');
  let letters = '';
  for (const five of [digits.slice(0, 5), digits.slice(5, 10), digits.slice(17, 22), digits.slice(22, 27)]) {
    const bits = Number.parseInt(five, 16);
    letters +=
      alphabet.charAt(bits >> 15) + alphabet.charAt((bits >> 10) & 31) + alphabet.charAt((bits >> 5) & 31) + alphabet.charAt(bits & 31);
  }
  return letters;
}

export function newRunId(nowMs: number, random?: Uint8Array): RunId {
  return `run_${ulid(nowMs, random)}` as RunId;
}

export function newSessionId(nowMs: number, random?: Uint8Array): SessionId {
  return `ses_${ulid(nowMs, random)}` as SessionId;
}

export function newApprovalId(nowMs: number, random?: Uint8Array): ApprovalId {
  return `apr_${ulid(nowMs, random)}` as ApprovalId;
}

/** Of a task that is no run's first; that one is `taskIdOf`. */
export function newTaskId(nowMs: number, random?: Uint8Array): TaskId {
  return `tsk_${ulid(nowMs, random)}` as TaskId;
}

export function newTokenId(nowMs: number, random?: Uint8Array): TokenId {
  return `tok_${ulid(nowMs, random)}` as TokenId;
}

/** Milliseconds since the epoch at which the id was made. */
export function idTimeMs(id: RunId | SessionId | ApprovalId | TaskId): number {
  let time = 0;
  for (const letter of id.slice(4, 14)) time = time * 32 + alphabet.indexOf(letter);
  return time;
}

/** The folder `runs/YYYY-MM-DD/` (UTC) that holds the run. */
export function runDate(id: RunId): string {
  return new Date(idTimeMs(id)).toISOString().slice(0, 10);
}

/** @throws FixRequestError when the text is not a run id. */
export function parseRunId(text: string): RunId {
  if (!idShape.test(text) || !text.startsWith('run_')) throw badId('run id', text, 'run_ and 26 letters or digits');
  return text as RunId;
}

/** @throws FixRequestError when the text is not a session id. */
export function parseSessionId(text: string): SessionId {
  if (!idShape.test(text) || !text.startsWith('ses_')) throw badId('session id', text, 'ses_ and 26 letters or digits');
  return text as SessionId;
}

/** @throws FixRequestError when the text is not an approval id. */
export function parseApprovalId(text: string): ApprovalId {
  if (!idShape.test(text) || !text.startsWith('apr_')) throw badId('approval id', text, 'apr_ and 26 letters or digits');
  return text as ApprovalId;
}

/** @throws FixRequestError when the text is not a token's id. */
export function parseTokenId(text: string): TokenId {
  if (!idShape.test(text) || !text.startsWith('tok_')) throw badId('token id', text, 'tok_ and 26 letters or digits');
  return text as TokenId;
}

/** @throws FixRequestError when the text is not a task id. */
export function parseTaskId(text: string): TaskId {
  if (!idShape.test(text) || !text.startsWith('tsk_')) throw badId('task id', text, 'tsk_ and 26 letters or digits');
  return text as TaskId;
}

export function isTenantName(text: string): boolean {
  return nameShape.test(text);
}

/** @throws FixRequestError when the text cannot be a tenant's name. */
export function parseTenantId(text: string): TenantId {
  if (!nameShape.test(text)) throw badId('tenant', text, 'a lower-case letter, then up to 62 lower-case letters, digits or hyphens');
  return text as TenantId;
}

/** @throws FixRequestError when the text cannot be an agent's name. */
export function parseAgentId(text: string): AgentId {
  if (!nameShape.test(text)) throw badId('agent', text, 'a lower-case letter, then up to 62 lower-case letters, digits or hyphens');
  return text as AgentId;
}

function badId(what: string, text: string, shape: string): FixRequestError {
  return new FixRequestError(
    'contracts.bad-id',
    `${JSON.stringify(text)} is not a valid ${what}: it must be ${shape}. Correct it and try again.`,
  );
}
