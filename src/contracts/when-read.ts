import assert from 'node:assert/strict';
import * as z from 'zod/mini';

/**
 * A schema that is built when it first reads a value: the schemas of all files and rows cost several milliseconds, and
 * a command reads few of them. `z.lazy` alone is built also where an optional value is absent, to ask for a default;
 * what is built here has none.
 */
export function whenRead<S extends z.ZodMiniType>(make: () => S): z.ZodMiniLazy<S> {
  const schema = z.lazy(() => {
    const made = make();
    assert(made._zod.optin === undefined, 'a schema that is built late accepts no absent value');
    return made;
  });
  Object.defineProperty(schema._zod, 'optin', { value: undefined });
  return schema;
}
