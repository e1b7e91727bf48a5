import * as z from 'zod/mini';
import type { JsonObject } from '../../contracts/json.ts';
import { defaultCommandSeconds, type ToolResult } from '../../contracts/tool.ts';
import { spelledInside } from '../../governance/command-folder.ts';
import type { CommandOutcome } from '../command-door.ts';
import { classifyPath, type RootName } from '../path.ts';
import { cutMiddle } from './cut-middle.ts';
import { defineTool, failure, type CoreTool } from './define-tool.ts';
import { describeEnd, endCode } from './describe-end.ts';

const maxSeconds = 3600;
/** What is read of a stream, so that secrets are hidden in whole text before it is shortened. */
const readBytes = 1024 * 1024;
const maxStdout = 32 * 1024;
const maxStderr = 16 * 1024;

const word = z.string().check(z.refine((text) => text.isWellFormed() && !text.includes('\0'), { message: 'must be text without NUL' }));
const name = z.string().check(z.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of a variable'));
const schema = z.strictObject({
  argv: z.array(word).check(z.minLength(1), z.maxLength(1024)),
  cwd: z.optional(z.string()),
  env: z.optional(z.record(name, word)),
  stdin: z.optional(z.string().check(z.maxLength(1024 * 1024))),
  timeoutSeconds: z.optional(z.number().check(z.positive(), z.maximum(maxSeconds))),
});

const declared = {
  argv: { role: 'selector', kind: 'command' },
  cwd: { role: 'selector', kind: 'path' },
  env: { role: 'selector' },
  stdin: { role: 'content' },
  timeoutSeconds: { role: 'selector' },
} as const;

export const shellExec: CoreTool = defineTool({
  name: 'shell.exec',
  summary: 'Run one program in a sandbox without network; your workspace is /workspace. No shell reads argv: no pipes, && or variables.',
  schema,
  hints: {
    argv: 'e.g. ["npm", "test"]',
    cwd: 'relative to the workspace',
    timeoutSeconds: `default ${defaultCommandSeconds}, or less if less is granted`,
  },
  effects: ['private', 'mutating'],
  args: declared,
  structured: [],
  recovery: 'ask-human',
  settle: (given, { roots }) => withOneFolder(given, roots.names),
  open: (world) => ({
    async perform(args, { signal }) {
      const source = `shell:${args.argv[0] ?? ''}`;
      if (world.commands === undefined) return failure('sandbox.unavailable', 'There is no sandbox here, so nothing was run.', { source });
      const { argv, cwd, env, stdin } = args;
      const more = {
        ...(cwd === undefined ? {} : { cwd }),
        ...(env === undefined ? {} : { env }),
        ...(stdin === undefined ? {} : { stdin }),
      };
      const seconds = args.timeoutSeconds ?? defaultCommandSeconds;
      const outcome = await world.commands.run({ argv, ...more, seconds, maxStdoutBytes: readBytes, maxStderrBytes: readBytes }, signal);
      return resultOf(outcome, { source, seconds, hide: world.hide });
    },
  }),
});

/** What the sandbox is told is what was decided about: the folder's path in the workspace, however it was written. */
function withOneFolder(given: JsonObject, roots: readonly RootName[]): JsonObject {
  if (typeof given['cwd'] !== 'string') return given;
  const at = classifyPath(spelledInside({ args: declared }, 'cwd', given['cwd']), roots);
  return 'outside' in at || at.root !== 'workspace' ? given : { ...given, cwd: at.path };
}

const refusals = {
  unavailable: ['sandbox.unavailable', 'Nothing was run'],
  died: ['sandbox.died', 'The sandbox ended while the command ran; what it had done by then is in the workspace'],
  refused: ['tool.bad-arguments', 'Nothing was run'],
} as const;

interface Shown {
  readonly source: string;
  readonly seconds: number;
  readonly hide: (text: string) => string;
}

function resultOf(outcome: CommandOutcome, { source, seconds, hide }: Shown): ToolResult {
  if (outcome.kind !== 'ran') {
    const [code, what] = refusals[outcome.kind];
    return failure(code, `${what}: ${outcome.reason}`, { source });
  }
  const { result, isReplaced } = outcome;
  const stdout = cutMiddle(hide(textOf(result.stdout)), maxStdout);
  const stderr = cutMiddle(hide(textOf(result.stderr)), maxStderr);
  const lines = [describeEnd(result, seconds)];
  if (isReplaced) lines.push('[a new sandbox: of earlier commands only the workspace is left, no process and nothing in /tmp]');
  if (stdout.text !== '') lines.push(stdout.text);
  if (stderr.text !== '') lines.push('[stderr]', stderr.text);
  if (stdout.text === '' && stderr.text === '') lines.push('[no output]');
  if (result.removed.length > 0) lines.push(`[taken away again, because it would act outside the sandbox: ${result.removed.join(', ')}]`);
  const code = endCode(result.end);
  const data = {
    end: result.end,
    ...(result.exitCode === undefined ? {} : { exitCode: result.exitCode }),
    timedOut: result.timedOut,
    outOfMemory: result.outOfMemory,
    isCut: stdout.cut + stderr.cut > 0,
    removed: [...result.removed],
    isNewSandbox: isReplaced,
  };
  return { isError: code !== undefined, ...(code === undefined ? {} : { code }), text: lines.join('\n'), data, source };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').trimEnd();
}
