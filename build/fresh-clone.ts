import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fencedBlocks } from '../test/documents/read-markdown.ts';

/**
 * The path of somebody who has just cloned the repository: the README's command, then the three that it tells to try
 * next, exactly as printed, without a key, and with `git status` clean after. `--install` has the registry's packages
 * installed as there; without it those of this clone are used, so that it works offline.
 *
 * Run: node build/fresh-clone.ts [--install]
 */
const root = path.join(import.meta.dirname, '..');

export interface FreshClone {
  readonly seconds: number;
  /** What each command printed, by command line. */
  readonly printed: ReadonlyMap<string, string>;
  /** Files that the commands left in the repository. */
  readonly dirt: string;
}

export function tryFreshClone({ isInstalling }: { readonly isInstalling: boolean }): FreshClone {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'fresh-clone-'));
  try {
    const clone = path.join(scratch, 'clawhold');
    cloneTracked(clone);
    if (!isInstalling) useInstalled(clone);
    const started = performance.now();
    const printed = new Map<string, string>();
    const run = (line: string): string => {
      const ran = spawnSync('sh', ['-c', line], { cwd: clone, encoding: 'utf8', input: '', timeout: 600_000, env: plainEnv(scratch) });
      if (ran.status !== 0) throw new Error(`"${line}" ended with ${ran.status}:\n${ran.stdout}\n${ran.stderr}`);
      printed.set(line, ran.stdout + ran.stderr);
      return ran.stdout + ran.stderr;
    };
    for (const line of nextCommands(run('npm start'))) run(line);
    run('bin/clawhold audit verify');
    const dirt = execFileSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' });
    return { seconds: (performance.now() - started) / 1000, printed, dirt };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** A repository with the tracked files as they are now. */
function cloneTracked(clone: string): void {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: clone, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean);
  for (const file of tracked) if (existsSync(path.join(root, file))) cpSync(path.join(root, file), path.join(clone, file));
  git('init', '-q');
  git('add', '-A');
  git('-c', 'user.name=new', '-c', 'user.email=new@example.invalid', 'commit', '-qm', 'clone');
}

function useInstalled(clone: string): void {
  symlinkSync(path.join(root, 'node_modules'), path.join(clone, 'node_modules'));
  utimesSync(path.join(clone, 'package-lock.json'), 0, 0);
}

/** No key, no model, no home of somebody, and no Node of this clone in PATH. */
function plainEnv(scratch: string): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/_API_KEY$|_BASE_URL$|^CLAWHOLD_|^NODE_|^npm_(lifecycle|package|node)/.test(name),
  );
  const searched = (process.env['PATH'] ?? '').split(':').filter((dir) => !dir.includes('node_modules'));
  return {
    ...Object.fromEntries(kept),
    PATH: searched.join(':'),
    OLLAMA_HOST: '127.0.0.1:9',
    CLAWHOLD_CONFIG_HOME: path.join(scratch, 'user'),
  };
}

/** The commands below "Try next:". */
export function nextCommands(shown: string): string[] {
  const [, list = ''] = shown.split('Try next:');
  return [...list.matchAll(/^ {2}(bin\/clawhold .*?)(?: {2,}#.*)?$/gm)].map(([, line = '']) => line);
}

/** The commands of the README, without the clone itself. */
export function readmeCommands(): string[] {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  return fencedBlocks(readme, 'console').flatMap((block) => block.split('\n').flatMap((line) => /^npm \w+/.exec(line) ?? []));
}

if (import.meta.main) {
  const { seconds, printed, dirt } = tryFreshClone({ isInstalling: process.argv.includes('--install') });
  const isClean = dirt === '';
  console.log(
    `${[...printed.keys()].join('\n')}\n${printed.size} commands in ${seconds.toFixed(1)} s${isClean ? '' : `; they left:\n${dirt}`}`,
  );
  process.exitCode = isClean && seconds < 600 && printed.size === 5 ? 0 : 1;
}
