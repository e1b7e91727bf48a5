import { makeVisible } from '../../governance/visible.ts';
import type { LedgerRecord } from '../../governance/query-ledger.ts';

/** Fields that every record has, or that the line shows in another place. */
const hidden = new Set(['type', 'at', 'run', 'session', 'agent']);

/** One line for people: time, stream and seq, agent, type, then the fields that say what happened. */
export function renderRecord({ stream, seq, event }: LedgerRecord): string {
  const fields = event as { readonly [key: string]: unknown };
  const details = Object.entries(fields)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => `${name}=${short(value)}`);
  const who = typeof fields['agent'] === 'string' ? ` ${fields['agent']}` : '';
  const run = typeof fields['run'] === 'string' ? ` ${fields['run']}` : '';
  return makeVisible(`${event.at} ${stream}/${seq}${who}${run} ${event.type} ${details.join(' ')}`.trimEnd());
}

function short(value: unknown): string {
  if (typeof value === 'string')
    return /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  const { id } = value as { readonly id?: unknown };
  if (typeof id === 'string') return id;
  const text = JSON.stringify(value);
  return text.length <= 100 ? text : `${Object.keys(value).length} of them`;
}
