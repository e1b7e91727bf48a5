import type { Plugin } from 'esbuild';

/** CommonJS packages that a file imports, and that most runs of it never use. */
const late = ['yaml'];

/**
 * Stands in for such a package: it is run when something is first taken from it. esbuild copies a package's own
 * properties when it imports it, so the stand-in has none, and hands on what it inherits.
 */
export const latePackages: Plugin = {
  name: 'late-packages',
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(?:${late.join('|')})$`) }, ({ path: name, namespace }) =>
      namespace === 'file' ? { path: name, namespace: 'late' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'late' }, ({ path: name }) => ({
      contents: `module.exports = Object.create(new Proxy({}, { get: (_, key) => require(${JSON.stringify(name)})[key] }));`,
      resolveDir: build.initialOptions.absWorkingDir ?? '.',
    }));
  },
};
