/** Keeps the number of series bounded: the first values of a label are kept, the rest counts as `_other`, which no tenant can be called. */
export interface LabelBounds {
  readonly bound: (labels: Readonly<Record<string, string | undefined>>) => Record<string, string>;
}

const defaultMax = 100;
const maxLength = 100;

/** `max` by label name; every other label may have 100 values. */
export function boundLabels(max: Readonly<Record<string, number>>): LabelBounds {
  const seen = new Map<string, Set<string>>();
  const bounded = (name: string, value: string): string => {
    let values = seen.get(name);
    if (values === undefined) seen.set(name, (values = new Set()));
    if (values.has(value)) return value;
    if (values.size >= (max[name] ?? defaultMax) || value.length > maxLength) return '_other';
    values.add(value);
    return value;
  };
  return {
    bound: (labels) => {
      const kept: Record<string, string> = {};
      for (const [name, value] of Object.entries(labels)) if (value !== undefined) kept[name] = bounded(name, value);
      return kept;
    },
  };
}
