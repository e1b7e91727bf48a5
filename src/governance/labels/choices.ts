import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import { leavesOf, spellingsOf } from './leaves.ts';
import { normalizeText } from './whole.ts';

/**
 * Which of the values that systems of record listed the run has chosen already. A value that a call used while no
 * untrusted text named it was the run's own choice; naming it later steers nothing. With a value its record is chosen:
 * who picked the order picked the product in it.
 */
export interface Choices {
  /** Learns which values stand in one record; a value of several records stands for none of them. */
  addRecords(data: JsonValue): void;
  choose(value: JsonValue): void;
  isChosen(value: JsonValue): boolean;
}

export function newChoices(): Choices {
  const recordOf = new Map<string, readonly string[] | 'several'>();
  const chosen = new Set<string>();

  function addRecord(values: readonly string[]): void {
    const key = values.join('\n');
    for (const value of values) {
      const known = recordOf.get(value);
      if (known === undefined) recordOf.set(value, values);
      else if (known !== 'several' && known.join('\n') !== key) recordOf.set(value, 'several');
    }
  }

  function addRecords(data: JsonValue): void {
    if (data === null || typeof data !== 'object') return;
    const parts: readonly JsonValue[] = Array.isArray(data) ? (data as readonly JsonValue[]) : Object.values(data as JsonObject);
    const own = parts.filter((part) => part === null || typeof part !== 'object');
    if (!Array.isArray(data)) addRecord(own.flatMap(keysOf));
    for (const part of parts) addRecords(part);
  }

  return {
    addRecords,
    choose: (value) => {
      for (const key of leavesOf(value).flatMap(keysOf)) {
        chosen.add(key);
        const record = recordOf.get(key);
        if (record !== undefined && record !== 'several') for (const mate of record) chosen.add(mate);
      }
    },
    isChosen: (value) => keysOf(value).some((key) => chosen.has(key)),
  };
}

function keysOf(leaf: JsonValue): readonly string[] {
  return spellingsOf(leaf).slice(0, 1).map(normalizeText);
}
