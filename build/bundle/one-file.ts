import { readFileSync } from 'node:fs';
import path from 'node:path';
import { transform as esbuildTransform, type BuildOptions, type BuildResult, type TransformOptions } from 'esbuild';

/** What is read of esbuild's result. */
export interface Outputs extends Pick<BuildResult<BuildOptions & { readonly metafile: true; readonly write: false }>, 'metafile'> {
  readonly outputFiles: readonly { readonly path: string; readonly text: string }[];
}

type Transform = (code: string, options: TransformOptions) => Promise<{ readonly code: string }>;

export interface OneFileOptions {
  readonly root: string;
  /** Name of the chunk that is run. */
  readonly entry: string;
  /** Default: esbuild's. */
  readonly transform?: Transform;
}

/**
 * Makes one CommonJS script of what esbuild split: each chunk is a function that is run, and compiled, when the first
 * import of it is. What no command asks for costs one function that nobody calls.
 *
 * An import is a copy of the value, taken when the chunk that exports it has run. That is the same as a live binding as
 * long as no module can assign what it exports, and no two chunks import each other: a chunk imports only from chunks
 * that more entry points reach.
 *
 * @throws Error when one of these does not hold, or a chunk does not look as esbuild writes it.
 */
export async function oneFile(outputs: Outputs, { root, entry, transform = esbuildTransform }: OneFileOptions): Promise<string> {
  refuseCycles(outputs);
  refuseVariableExports(root, outputs);
  const options: TransformOptions = {
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    supported: { 'dynamic-import': false },
    minifyWhitespace: true,
    charset: 'ascii',
    legalComments: 'none',
  };
  const helpers = await helpersOf(transform, options);
  const chunks = await Promise.all(
    outputs.outputFiles.map(async ({ path: file, text }) => {
      const { imports, body, exports } = linesOf(file, text.replace(/^#!.*\n/, ''));
      const { code } = await transform(body, options);
      const own = linkLazily(code.replace(/^"use strict";/, '').replace(helpers, ''));
      if (/require\("\.\/[\w-]+\.js"\)/.test(own)) throw new Error(`The chunk ${file} asks for another one as if it were a file.`);
      return `${JSON.stringify(nameOf(file))}(){${imports}${own.trimEnd()}${exports}}`;
    }),
  );
  return `"use strict";${run}const __chunks={${chunks.join(',\n')}};__chunk(${JSON.stringify(entry)});\n`;
}

/** The value of a chunk: its exports. One that throws is run again by the next import, and throws again. */
const run =
  'const __made=new Map(),__chunk=(name)=>{let made=__made.get(name);if(made===undefined)__made.set(name,made=__chunks[name]());return made},__package=(all)=>Object.create(all,{default:{value:all}});';

function nameOf(file: string): string {
  return path.basename(file, path.extname(file));
}

interface Parts {
  readonly imports: string;
  readonly body: string;
  readonly exports: string;
}

const chunkImport = /^import(?:\{([^{}]*)\}from)?"\.\/([\w-]+)\.js";/;

/** esbuild writes the imports of chunks first, and one list of exports at the end. */
function linesOf(file: string, text: string): Parts {
  let rest = text;
  let imports = '';
  for (let found = chunkImport.exec(rest); found !== null; found = chunkImport.exec(rest)) {
    const [whole, names, from = ''] = found;
    imports += `${names === undefined ? '' : `const{${renamed(names)}}=`}__chunk("${from}");`;
    rest = rest.slice(whole.length);
  }
  const end = /(?:export\{([^{}]*)\}|export default (require_\w+\(\)));\s*$/.exec(rest);
  const body = end === null ? rest : rest.slice(0, end.index);
  if (/(?:^|[;}])(?:import(?:\{[^{}]*\}from|[ *][^;]{0,80}from)?"\.\/|export[ {*])/.test(body))
    throw new Error(`The chunk ${file} imports or exports something in its middle, where only code is expected.`);
  // A CommonJS package: what it exports, and all of it as default.
  const value = end?.[2] === undefined ? `{${swapped(end?.[1] ?? '')}}` : `__package(${end[2]})`;
  return { imports, body, exports: `return ${value}` };
}

/** `a, b as c` of an import, as a pattern. */
function renamed(names: string): string {
  return names.replaceAll(' as ', ':');
}

/** `a, b as c` of an export, as an object. */
function swapped(names: string): string {
  return names
    .split(',')
    .filter((name) => name !== '')
    .map((name) => name.split(' as '))
    .map(([local = '', exported = local]) => (exported === local ? local : `${exported}:${local}`))
    .join(',');
}

/** A chunk is no CommonJS module: what it exports is what an import gives. */
function linkLazily(code: string): string {
  return code.replaceAll(/__toESM\d*\(require\("\.\/([\w-]+)\.js"\)\)/g, '__chunk("$1")');
}

/** What esbuild puts before a script that imports built-ins: the same for each, and needed by none of ours. */
async function helpersOf(transform: Transform, options: TransformOptions): Promise<string> {
  const { code } = await transform('import x from"node:x";x()', options);
  const end = code.indexOf('var import_node_x');
  const helpers = code.slice(0, Math.max(0, end)).replace(/^"use strict";/, '');
  if (helpers === '') throw new Error('esbuild writes its helpers otherwise than expected.');
  return helpers;
}

/** Exports that can be assigned: `export let`, and lists that name a `let` or `var`. */
const exportedVariable = /^export (?:let|var)\b/m;

function refuseVariableExports(root: string, { metafile }: Outputs): void {
  for (const [input, { format }] of Object.entries(metafile.inputs)) {
    // What a plugin makes up has a name with a colon, and exports constants.
    if (format !== 'esm' || /^[a-z-]+:/.test(input)) continue;
    const text = readFileSync(path.join(root, input), 'utf8');
    const listed = [...text.matchAll(/^export \{([^{}]*)\}(?! from)/gm)].flatMap(([, names = '']) => names.match(/[\w$]+/g) ?? []);
    const isVariable = (name: string): boolean => new RegExp(`^(?:let|var) ${RegExp.escape(name)}\\b`, 'm').test(text);
    if (exportedVariable.test(text) || listed.some(isVariable))
      throw new Error(
        `${input} exports a variable, and a bundle keeps only its first value. Export a constant, or a function that tells it.`,
      );
  }
}

/** Kahn: chunks without imports of others are taken away until none is left. */
function refuseCycles({ metafile }: Outputs): void {
  const left = new Map(
    Object.entries(metafile.outputs).map(([file, { imports }]) => [
      file,
      new Set(imports.filter(({ kind, external }) => kind === 'import-statement' && external !== true).map((one) => one.path)),
    ]),
  );
  for (;;) {
    const ready = [...left].filter(([, imports]) => imports.size === 0).map(([file]) => file);
    if (ready.length === 0) break;
    for (const file of ready) left.delete(file);
    for (const imports of left.values()) for (const file of ready) imports.delete(file);
  }
  if (left.size > 0) throw new Error(`These chunks import each other: ${[...left.keys()].join(', ')}.`);
}
