import type { ExecEnd, ExecResult } from '../../sandbox/sandbox.ts';
import type { ToolCode } from '../tool-code.ts';

const codes: Readonly<Record<ExecEnd, ToolCode | undefined>> = {
  exited: undefined,
  killed: 'shell.killed',
  aborted: 'tool.cancelled',
  'wall-limit': 'shell.timed-out',
  'cpu-limit': 'shell.timed-out',
  'memory-limit': 'shell.out-of-memory',
  'output-limit': 'shell.too-much-output',
  'disk-limit': 'shell.disk-full',
};

/** An exit code, whatever it is, is an answer and no failure of the tool: a failing test is what was asked for. */
export function endCode(end: ExecEnd): ToolCode | undefined {
  return codes[end];
}

export function describeEnd({ end, exitCode, signal, outOfMemory }: ExecResult, seconds: number): string {
  const memory = outOfMemory && end !== 'memory-limit' ? ', and a process was killed for memory' : '';
  const said: Readonly<Record<ExecEnd, string>> = {
    exited: `exit code ${exitCode ?? '?'}${signal === undefined ? '' : ` (${signal})`}${exitMeaning(exitCode)}`,
    killed: `killed by ${signal ?? 'a signal'}`,
    aborted: 'stopped, because the run was stopped',
    'wall-limit': `killed after ${seconds} seconds, its time limit; give timeoutSeconds for more, or do less at once`,
    'cpu-limit': 'killed at its limit of CPU time',
    'memory-limit': 'killed at the memory limit of the sandbox',
    'output-limit': 'killed at the output limit of the sandbox; write to a file instead',
    'disk-limit': 'killed at the disk limit of the sandbox',
  };
  return `[${said[end]}${memory}]`;
}

function exitMeaning(exitCode: number | undefined): string {
  if (exitCode === 127) return ': there may be no such program in the sandbox';
  return exitCode === 126 ? ': it may not be executable, or the folder does not exist' : '';
}
