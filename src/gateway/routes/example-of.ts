/** The parts of a JSON Schema that an example is made from. */
export interface Shape {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
}

/** Which fields of an object an example has. */
export type Fields = 'required' | 'all';

/** A value that fits, as people would write it. */
export function exampleOf(shape: Shape, fields: Fields): unknown {
  if (shape.const !== undefined) return shape.const;
  if (shape.enum !== undefined) return shape.enum[0];
  const choice = (shape.anyOf ?? shape.oneOf)?.[0];
  if (choice !== undefined) return exampleOf(choice, fields);
  switch (typeof shape.type === 'string' ? shape.type : shape.type?.[0]) {
    case 'object':
      return objectOf(shape, fields);
    case 'array':
      return shape.items === undefined ? [] : [exampleOf(shape.items, fields)];
    case 'integer':
    case 'number':
      return Math.max(0, shape.minimum ?? (shape.exclusiveMinimum ?? -1) + 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return textOf(shape);
  }
}

function objectOf({ properties = {}, required = [] }: Shape, fields: Fields): object {
  const names = Object.keys(properties).filter((name) => fields === 'all' || required.includes(name));
  return Object.fromEntries(names.map((name) => [name, exampleOf(properties[name] ?? {}, fields)]));
}

function textOf({ pattern = '', format }: Shape): string {
  if (format === 'date-time') return '2026-01-31T02:00:00Z';
  const prefix = /^\^([a-z]{3}_)\[/.exec(pattern)?.[1];
  // Any id of that kind: its letters say nothing.
  if (prefix !== undefined) return `${prefix}${'0'.repeat(26)}`;
  if (pattern.startsWith('^[a-z][a-z0-9-]')) return 'main';
  return 'text';
}
