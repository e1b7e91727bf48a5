import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import * as z from 'zod/mini';
import type { JsonObject } from '../../src/contracts/json.ts';

const text = z.union([z.string(), z.null(), z.array(z.looseObject({ content: z.optional(z.nullable(z.string())) }))]);
const call = z.looseObject({ function: z.string(), args: z.record(z.string(), z.json()), id: z.optional(z.nullable(z.string())) });
const recorded = z.looseObject({
  kind: z.enum(['attack_success', 'benign_ok']),
  user_task_id: z.string(),
  injection_task_id: z.nullable(z.string()),
  injections: z.record(z.string(), z.string()),
  messages: z.array(
    z.looseObject({
      role: z.enum(['system', 'user', 'assistant', 'tool']),
      content: z.optional(text),
      tool_calls: z.optional(z.nullable(z.array(call))),
      error: z.optional(z.nullable(z.string())),
    }),
  ),
});

export interface RecordedCall {
  readonly tool: string;
  readonly args: JsonObject;
  /** Undefined where the recording ends before the result. */
  readonly result?: { readonly text: string; readonly isError: boolean };
}

export type RecordedStep =
  | { readonly kind: 'system' | 'user'; readonly text: string }

  /** The calls of one model turn, in order, with their results. */
  | { readonly kind: 'turn'; readonly calls: readonly RecordedCall[] };

export interface Recording {
  readonly line: number;
  readonly isAttack: boolean;
  readonly userTask: string;
  readonly injectionTask: string | null;
  readonly injections: readonly string[];
  readonly steps: readonly RecordedStep[];
}

type Message = z.infer<typeof recorded>['messages'][number];

/** Reads recorded agent runs, one JSON document a line, gzipped or not. */
export function readRecordings(file: string): readonly Recording[] {
  const bytes = readFileSync(file);
  const lines = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    const run = recorded.parse(JSON.parse(line));
    return {
      line: index + 1,
      isAttack: run.kind === 'attack_success',
      userTask: run.user_task_id,
      injectionTask: run.injection_task_id,
      injections: Object.values(run.injections),
      steps: stepsOf(run.messages),
    };
  });
}

/** Results follow their turn in the order of its calls. */
function stepsOf(messages: readonly Message[]): readonly RecordedStep[] {
  const steps: RecordedStep[] = [];
  messages.forEach((message, index) => {
    if (message.role === 'system' || message.role === 'user') steps.push({ kind: message.role, text: textOf(message) });
    if (message.role !== 'assistant' || !message.tool_calls?.length) return;
    const results: Message[] = [];
    for (let next = index + 1; messages[next]?.role === 'tool'; next += 1) results.push(messages[next] as Message);
    const calls = message.tool_calls.map(({ function: tool, args }, at) => {
      const result = results[at];
      return { tool, args, ...(result === undefined ? {} : { result: { text: textOf(result), isError: Boolean(result.error) } }) };
    });
    steps.push({ kind: 'turn', calls });
  });
  return steps;
}

function textOf({ content }: Message): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map((part) => part.content ?? '').join('\n');
}
