import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.join(import.meta.dirname, '..');
const entries: readonly string[] = ['src/control/admit.ts', 'src/control/admit-resume.ts'];

/**
 * What in a source may put a task: a file that knows the queue (its port, its drivers, or a thing called queue) and
 * touches a member `put`, by a dot, by brackets or by taking it out of the object.
 */
function putsTasks(source: string): boolean {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const knowsQueue = /\/(?:open-)?queue(?:\/[\w-]+)*\.ts['"]|\bqueue\b/i.test(code);
  const onQueue = /queue\w*(?:\(\))?\)?\s*(?:\?\.|\.|\[['"`])\s*put\b/i.test(code);
  const takenOut = /\{[^{}]*\bput\b[^{}]*\}\s*=\s*[^;]*queue/i.test(code);
  return onQueue || takenOut || (knowsQueue && /\.put\(\[/.test(code));
}

function offenders(files: ReadonlyMap<string, string>): string[] {
  return [...files].filter(([file, source]) => !entries.includes(file) && putsTasks(source)).map(([file]) => file);
}

function sources(): Map<string, string> {
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) => {
    const name = file.split(path.sep).join('/');
    return !name.endsWith('.test.ts') && !name.startsWith('src/state/queue') && !name.includes('/fixtures/');
  });
  return new Map(files.map((file) => [file.split(path.sep).join('/'), readFileSync(path.join(root, file), 'utf8')]));
}

test('only admission puts tasks on the queue', () => {
  const files = sources();

  assert.deepEqual(offenders(files), []);
  for (const entry of entries) assert.ok(putsTasks(files.get(entry)!), `${entry} is no entry any more`);
});

test('sabotage: a second entry is seen in every spelling, and other stores may be put into', () => {
  const spellings = [
    'await queue.put([task]);',
    'await ctx.queue.put([task]);',
    "await ctx.queue['put']([task]);",
    'await (await app.queue()).put([task]);',
    'const { put } = ctx.queue;',
    "import type { Queue } from '../state/queue.ts';\nexport function f(q: Queue) { return q.put([task]); }",
    'await taskQueue?.put(tasks);',
  ];

  for (const spelling of spellings) assert.deepEqual(offenders(new Map([['src/gateway/x.ts', spelling]])), ['src/gateway/x.ts'], spelling);
  for (const fine of ['await objects.put(bytes);', 'runs.put(row);', '// queue.put([task])', 'const put = 1;'])
    assert.deepEqual(offenders(new Map([['src/worker/x.ts', fine]])), [], fine);
});
