/** Tolerant readers for a provider's JSON: a field of the wrong kind counts as absent, so that one odd server cannot crash a run. */
export type Loose = Readonly<Record<string, unknown>>;

export function objectOf(value: unknown): Loose | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Loose) : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** A count of something: a non-negative safe integer, anything else is absent. */
export function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

/** Arguments as a JSON object, whatever was recorded: a wire refuses a history whose arguments are not JSON. */
export function argumentsObject(argumentsText: string): Loose {
  try {
    const value = objectOf(JSON.parse(argumentsText === '' ? '{}' : argumentsText));
    if (value !== undefined) return value;
  } catch {
    // silent-ok: what the model wrote is passed on below, as text
  }
  return { invalid_arguments: argumentsText };
}
