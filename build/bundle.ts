import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { copyAssets, keepDirname } from './bundle/assets.ts';
import { entrySource } from './bundle/entry.ts';
import { collectLicenses } from './bundle/licenses.ts';
import { latePackages } from './bundle/late-packages.ts';
import { loadBuiltinsLazily } from './bundle/lazy-builtins.ts';
import { oneFile } from './bundle/one-file.ts';
import { partsOf } from './bundle/parts.ts';
import { threadEntries } from './bundle/threads.ts';
import { copyRipgrep, ownRipgrep } from './bundle/ripgrep.ts';

export interface BundleOptions {
  /** The folder with `package.json`, `src/` and `node_modules/`. */
  readonly root: string;
  /** Emptied first. */
  readonly outdir: string;
  readonly version: string;
  /** With the version, what runs record of the program that made them. */
  readonly commit: string;
}

/**
 * Makes `outdir/clawhold.mjs`, the program as one file that evaluates each module on its first use, the assets and the
 * ripgrep binary: everything that runs on this kind of machine, without `node_modules`.
 *
 * Contract: the same sources give the same bytes.
 */
export async function bundle({ root, outdir, version, commit }: BundleOptions): Promise<void> {
  rmSync(outdir, { recursive: true, force: true });
  mkdirSync(outdir, { recursive: true });
  const parts = partsOf();
  const options = programOptions({ root, outdir, version, commit });
  const main = await build({ ...options, ...split, plugins: [...options.plugins, parts.plugin] });
  const others = [await build({ ...options, entryPoints: threadEntries(path.join(root, 'src')) }), ...(await parts.build(options))];
  for (const { path: file, text } of others.flatMap(({ outputFiles }) => outputFiles)) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, finished(text));
  }
  const program = asFunction(finished(await oneFile(main, { root, entry: 'main' })));
  // oxlint-disable-next-line no-control-regex
  if (/[^\x00-\x7f]/.test(program)) throw new Error('The program has characters that are not ASCII, and it is read as if it had none.');
  writeFileSync(path.join(outdir, 'main.cjs'), program);
  writeFileSync(path.join(outdir, 'clawhold.mjs'), entrySource(program));
  chmodSync(path.join(outdir, 'clawhold.mjs'), 0o755);
  writeFileSync(
    path.join(outdir, 'LICENSES.txt'),
    collectLicenses(
      root,
      [main, ...others].flatMap(({ metafile }) => Object.keys(metafile.inputs)),
    ),
  );
  copyAssets(path.join(root, 'src'), path.join(outdir, 'assets'));
  copyRipgrep(path.join(root, 'node_modules'), path.join(outdir, 'bin'));
}

function programOptions({ root, outdir, version, commit }: BundleOptions) {
  return {
    absWorkingDir: root,
    outdir,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    // A built-in is then required like any other: a script that was compiled earlier has nobody to ask for modules.
    supported: { 'dynamic-import': false },
    // Names stay, so that a stack trace can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    // One byte a character: read without decoding.
    charset: 'ascii',
    legalComments: 'none',
    preserveSymlinks: true,
    metafile: true,
    write: false,
    logLevel: 'warning',
    define: {
      CLAWHOLD_VERSION: JSON.stringify(version),
      CLAWHOLD_COMMIT: JSON.stringify(commit),
      'import.meta.dirname': '__dirname',
      'import.meta.url': '__importMetaUrl',
    },
    plugins: [ownRipgrep, latePackages, keepDirname(path.join(root, 'src'))],
  } as const satisfies BuildOptions;
}

/** The program, as modules that share what several commands need. */
const split = {
  entryPoints: { main: 'src/cli/main.ts' },
  format: 'esm',
  splitting: true,
  outExtension: {},
  chunkNames: '[name]-[hash]',
  supported: {},
} as const satisfies BuildOptions;

function finished(text: string): string {
  return `${ownUrl}${loadBuiltinsLazily(text.replace(/^#!.*\n/, ''))}`;
}

/** As Node wraps CommonJS: the entry compiles the file as it is, without a copy of its text. */
function asFunction(text: string): string {
  return `(function(exports,require,module,__filename,__dirname){${text}\n})\n`;
}

/** What `import.meta.url` was. */
const ownUrl = '"use strict";const __importMetaUrl=require("node:url").pathToFileURL(__filename).href;';

/** The version, and the commit with `.changed` when the sources are not the commit's. */
export function readBuild(root: string): { readonly version: string; readonly commit: string } {
  const { version }: { version: string } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const git = (...args: readonly string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const isChanged = git('status', '--porcelain', '--', 'src', 'build', 'package.json', 'package-lock.json') !== '';
    return { version, commit: `${git('rev-parse', '--short=12', 'HEAD')}${isChanged ? '.changed' : ''}` };
  } catch {
    // silent-ok: a source archive has no repository; the commit says so.
    return { version, commit: 'unknown' };
  }
}

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..');
  const id = readBuild(root);
  await bundle({ root, outdir: path.join(root, 'dist'), ...id });
  console.log(`dist/clawhold.mjs is Clawhold ${id.version}+${id.commit}.`);
}
