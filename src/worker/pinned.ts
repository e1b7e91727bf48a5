import type { PinnedInputs } from '../contracts/journal.ts';
import type { Memo } from '../contracts/memo.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { ToolSpec } from '../contracts/model.ts';
import type { PolicySource } from '../contracts/policy.ts';
import type { AgentRun } from '../agent/run-context.ts';
import { compilePolicy, type PolicySnapshot } from '../governance/policy-snapshot.ts';
import type { Redactor } from '../governance/redact.ts';
import type { Objects } from '../state/objects.ts';
import { compileOptions } from './compile-options.ts';
import type { ToolFacts } from './worker-context.ts';

/** What a run is made of besides its item: frozen when it is accepted, the same for a resume and a replay. */
export interface RunInputs {
  /** `agent.yaml`, bootstrap files and memory, in prompt order. */
  readonly files: ReadonlyMap<string, string>;
  readonly tools: readonly ToolSpec[];
  readonly policy: readonly PolicySource[];
  readonly history: AgentRun['history'];
}

/**
 * Puts the inputs into the content-addressed store, durably; texts go in as they enter the run: with secrets hidden.
 * Unchanged inputs cost nothing the second time. Tools and policy are those of `memo`: nobody changes them.
 */
export async function pinInputs(
  { objects, memo }: { readonly objects: Objects; readonly memo: Memo },
  inputs: RunInputs,
  policy: PolicySnapshot,
): Promise<PinnedInputs> {
  const files = await Promise.all(
    [...inputs.files].map(async ([name, text]) => ({ name, sha256: await objects.put(text), bytes: Buffer.byteLength(text) })),
  );
  const [tools, sources, history] = await Promise.all(
    [jsonOf(memo, inputs.tools), jsonOf(memo, inputs.policy), JSON.stringify(inputs.history)].map((text) => objects.put(text)),
  );
  return { files, tools: tools as Sha256, policy: sources as Sha256, policyHash: policy.hash, history: history as Sha256 };
}

function jsonOf(memo: Memo, value: object): string {
  return memo.of(value, 'json', () => JSON.stringify(value));
}

/** @throws AskHumanError when a pinned input is missing or damaged. */
export async function readPinned(
  objects: Objects,
  pinned: PinnedInputs,
  tools: ToolFacts,
): Promise<RunInputs & { readonly snapshot: PolicySnapshot }> {
  const text = async (sha: Sha256): Promise<string> => Buffer.from(await objects.get(sha)).toString('utf8');
  const files = await Promise.all(pinned.files.map(async (file) => [file.name, await text(file.sha256)] as const));
  const [specs, policy, history] = await Promise.all([text(pinned.tools), text(pinned.policy), text(pinned.history)]);
  const sources = JSON.parse(policy) as PolicySource[];
  return {
    files: new Map(files),
    tools: JSON.parse(specs) as ToolSpec[],
    policy: sources,
    history: JSON.parse(history) as AgentRun['history'],
    snapshot: compilePolicy(sources, compileOptions(tools)),
  };
}

/** Hides secrets in every text that enters the prompt or the record. */
export function redactFiles(
  { memo, redactor }: { readonly memo: Memo; readonly redactor: Redactor },
  files: ReadonlyMap<string, string>,
): Map<string, string> {
  return new Map([...files].map(([name, text]) => [name, memo.of(redactor, text, () => redactor.text(text))]));
}
