import type * as z from 'zod/mini';

/** Of a plain JSON value; fields that are undefined count as absent ones do in the schema. */
export type Check = (value: unknown) => boolean;

/** What is read of a schema's own description. */
interface Definition {
  readonly type: string;
  readonly coerce?: boolean;
  readonly format?: string;
  readonly checks?: readonly { readonly _zod: { readonly def: CheckDefinition } }[];
  readonly shape?: Readonly<Record<string, z.ZodMiniType>>;
  readonly catchall?: z.ZodMiniType;
  readonly innerType?: z.ZodMiniType;
  readonly element?: z.ZodMiniType;
  readonly keyType?: z.ZodMiniType;
  readonly valueType?: z.ZodMiniType;
  readonly options?: readonly z.ZodMiniType[];
  readonly discriminator?: string;
  readonly values?: readonly unknown[];
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly getter?: () => z.ZodMiniType;
  readonly fn?: (value: unknown) => unknown;
}

interface CheckDefinition {
  readonly check: string;
  readonly format?: string;
  readonly pattern?: RegExp;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly value?: number;
  readonly inclusive?: boolean;
}

const no: Check = () => false;
const any: Check = () => true;

/**
 * Whether a schema takes a value as it is, found out a tenth as fast as by parsing: parsing copies the value, and gathers
 * what is wrong with it.
 *
 * Contract: yes only where the schema says yes and gives an equal value back; no may be wrong (a default, a conversion, a
 * kind that this does not know, a key that the schema would drop), so after a no the schema itself decides.
 */
export function takesAsIs(schema: () => z.ZodMiniType): Check {
  let check: Check | undefined;
  return (value) => (check ??= checkOf(schema()))(value);
}

function checkOf(schema: z.ZodMiniType): Check {
  const definition = schema._zod.def as unknown as Definition;
  const own = kinds[definition.type];
  if (own === undefined || definition.coerce === true) return no;
  const checks = [own(definition), ...(definition.checks ?? []).map(({ _zod: { def } }) => boundOf(def))];
  const [first = no, second] = checks;
  if (second === undefined) return first;
  return checks.length === 2 ? (value) => first(value) && second(value) : (value) => checks.every((check) => check(value));
}

const kinds: Readonly<Record<string, (definition: Definition) => Check>> = {
  string: ({ format }) => (format === undefined ? (value) => typeof value === 'string' : no),
  number: ({ format }) => (format === undefined ? Number.isFinite : format === 'safeint' ? Number.isSafeInteger : no),
  boolean: () => (value) => typeof value === 'boolean',
  null: () => (value) => value === null,
  unknown: () => any,
  literal: ({ values = [] }) => oneOf(values),
  enum: ({ entries = {} }) => oneOf(Object.values(entries)),
  // A check that answers later, or with something else, is the schema's to understand.
  custom:
    ({ fn = no }) =>
    (value) =>
      fn(value) === true,
  optional: optionalCheck,
  nullable: ({ innerType }) => (innerType === undefined ? no : orElse(null, innerType)),
  lazy: ({ getter }) => (getter === undefined ? no : takesAsIs(getter)),
  array: listCheck,
  record: recordCheck,
  object: objectCheck,
  union: (definition) => (definition.discriminator === undefined ? unionCheck(definition) : variantCheck(definition)),
};

function boundOf({
  check,
  format,
  pattern,
  minimum = Infinity,
  maximum = -Infinity,
  value: bound = Number.NaN,
  inclusive,
}: CheckDefinition): Check {
  switch (check) {
    case 'string_format':
      return format === 'regex' && pattern !== undefined && !pattern.global && !pattern.sticky
        ? (value) => pattern.test(value as string)
        : no;
    case 'number_format':
      return format === 'safeint' ? Number.isSafeInteger : no;
    case 'min_length':
      return (value) => (value as string).length >= minimum;
    case 'max_length':
      return (value) => (value as string).length <= maximum;
    case 'greater_than':
      return inclusive === true ? (value) => (value as number) >= bound : (value) => (value as number) > bound;
    case 'less_than':
      return inclusive === true ? (value) => (value as number) <= bound : (value) => (value as number) < bound;
    default:
      return no;
  }
}

function oneOf(values: readonly unknown[]): Check {
  // Of numbers an enumeration lists their names too.
  if (!values.every((value) => typeof value === 'string')) return no;
  return values.length === 1 ? (value) => value === values[0] : (value) => values.includes(value as string);
}

/** Where there may be nothing, unless something within would put a value there. */
function optionalCheck({ innerType }: Definition): Check {
  return innerType !== undefined && innerType._zod.optin === undefined ? orElse(undefined, innerType) : no;
}

function orElse(other: undefined | null, schema: z.ZodMiniType): Check {
  const inner = checkOf(schema);
  return (value) => value === other || inner(value);
}

function listCheck({ element }: Definition): Check {
  const inner = element === undefined ? no : checkOf(element);
  return (value) => {
    if (!Array.isArray(value)) return false;
    // By number, for a hole is none of a list's elements.
    for (let index = 0; index < value.length; index += 1) if (value[index] === undefined || !inner(value[index])) return false;
    return true;
  };
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Of names that may be anything. */
function recordCheck({ keyType, valueType }: Definition): Check {
  const key = keyType?._zod.def as Definition | undefined;
  if (key?.type !== 'string' || valueType === undefined) return no;
  const [name, inner] = [checkOf(keyType as z.ZodMiniType), checkOf(valueType)];
  return (value) => isPlain(value) && Object.keys(value).every((one) => one !== '__proto__' && name(one) && inner(value[one]));
}

function objectCheck({ shape = {}, catchall }: Definition): Check {
  const fields = Object.entries(shape).map(([name, schema]) => {
    const check = checkOf(schema);
    return { name, check, isOptional: schema._zod.def.type === 'optional' && check(undefined) };
  });
  const isOpen = catchall?._zod.def.type === 'unknown';
  // What is left out of a closed one, or refused by it, is another value.
  if (!isOpen && catchall !== undefined && catchall._zod.def.type !== 'never') return no;
  return (value) => {
    if (!isPlain(value)) return false;
    let known = 0;
    for (const { name, isOptional, check } of fields) {
      if (!Object.hasOwn(value, name)) {
        if (!isOptional) return false;
      } else if (check(value[name])) known += 1;
      else return false;
    }
    return isOpen ? !Object.hasOwn(value, '__proto__') : known === Object.keys(value).length;
  };
}

/** Only of kinds that no value is two of: else the schema's first would count, which may drop what the second keeps. */
function unionCheck({ options = [] }: Definition): Check {
  const types = options.map((option) => option._zod.def.type);
  const isApart = types.every((type) => ['string', 'number', 'boolean', 'null', 'array', 'object'].includes(type));
  if (!isApart || new Set(types).size < types.length) return no;
  const checks = options.map(checkOf);
  return (value) => checks.some((check) => check(value));
}

/** The one that the field names. */
function variantCheck({ options = [], discriminator = '' }: Definition): Check {
  const variants = new Map<unknown, Check>();
  for (const option of options) {
    const { type, shape = {} } = option._zod.def as unknown as Definition;
    const named = shape[discriminator]?._zod.def as unknown as Definition | undefined;
    const [value, ...others] = named?.type === 'literal' ? (named.values ?? []) : [];
    if (type !== 'object' || typeof value !== 'string' || others.length > 0 || variants.has(value)) return no;
    variants.set(value, checkOf(option));
  }
  return (value) => isPlain(value) && (variants.get(value[discriminator]) ?? no)(value);
}
