import { build, type BuildOptions, type BuildResult, type Plugin } from 'esbuild';

/**
 * Packages that few commands use, each group a file of its own in `parts/`: a command that needs none of them does not
 * pay for reading them. Packages that know each other's objects are in one group.
 */
const groups: Readonly<Record<string, readonly string[]>> = {
  server: ['fastify'],
  telemetry: ['@opentelemetry/api', '@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/resources', '@opentelemetry/sdk-trace'],
  log: ['pino'],
  metrics: ['prom-client'],
  schedules: ['croner'],
  html: ['htmlparser2'],
  diff: ['diff'],
};

type Options = BuildOptions & { readonly absWorkingDir: string; readonly metafile: true; readonly write: false };

export interface Parts {
  /** For the program that uses them. */
  readonly plugin: Plugin;
  /** Builds the groups that the program turned out to use. */
  build(options: Options): Promise<readonly BuildResult<Options>[]>;
}

export function partsOf(): Parts {
  const used = new Set<string>();
  return {
    plugin: apart(used),
    build: async (options) => await Promise.all([...used].toSorted().map(async (group) => await build(partOptions(group, options)))),
  };
}

/** Stands in for a package of a group: the same exports, read from the group's file when they are needed. */
function apart(used: Set<string>): Plugin {
  const groupOf = new Map(Object.entries(groups).flatMap(([group, names]) => names.map((name) => [name, group] as const)));
  return {
    name: 'parts',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[@a-z]/ }, ({ path: name, namespace }) => {
        const group = groupOf.get(name);
        if (group === undefined || namespace !== 'file') return undefined;
        used.add(group);
        return { path: name, namespace: 'part' };
      });
      onResolve({ filter: /^\.\/parts\// }, ({ path: file }) => ({ path: file, external: true }));
      onLoad({ filter: /.*/, namespace: 'part' }, ({ path: name }) => ({
        contents: `module.exports = require("./parts/${groupOf.get(name)}.cjs")[${JSON.stringify(name)}];`,
      }));
    },
  };
}

function partOptions(group: string, options: Options): Options {
  const getters = (groups[group] ?? []).map((name) => `get ${JSON.stringify(name)}() { return require(${JSON.stringify(name)}); }`);
  return {
    ...options,
    stdin: { contents: `module.exports = { ${getters.join(', ')} };`, resolveDir: options.absWorkingDir, sourcefile: `${group}.js` },
    entryNames: `parts/${group}`,
  };
}
