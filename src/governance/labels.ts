import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { ArgumentLabel, Label, RunLabels } from '../contracts/label.ts';
import type { ToolDeclaration, ToolResult } from '../contracts/tool.ts';
import { newCorpus, type Corpus } from './labels/corpus.ts';
import { leavesOf, spellingsOf } from './labels/leaves.ts';
import { structuredValues } from './labels/structured.ts';
import { numberWords } from './labels/number-words.ts';
import { schemaDefault } from './resources.ts';

/**
 * What a run knows of the origin of texts. It grows with the run and is rebuilt by replaying the journal in order, so
 * it is never stored: the same additions give the same labels.
 */
export interface Trust {
  /** What the user said: this run's input, and the user's messages of the session. */
  addUserText(text: string): void;
  /** A file that only humans write: SOUL.md, RULES.md, TOOLS.md, SPECPLAN.md, the standing task. */
  addAgentFile(text: string): void;
  /** Values a human listed: `trusted:` of a policy. */
  addAllowed(values: readonly string[]): void;
  /** Free text from elsewhere: memory, DEVPLAN.md, HANDOFF.md, what the model said in an earlier run. */
  addUntrustedText(text: string, source: string): void;
  /**
   * The result of a call. Its structured fields are trusted when its own destinations and selectors were; everything
   * else is untrusted.
   */
  addResult(tool: ToolDeclaration, areArgumentsTrusted: boolean, result: ToolResult): void;
  /** Where a value comes from. */
  labelOf(value: JsonValue): Label;
  run(): RunLabels;
}

export function newTrust(): Trust {
  const known: Known = { trusted: newCorpus(), untrusted: newCorpus(), seen: { hasPrivate: false, hasUntrusted: false } };
  return {
    addUserText: (text) => {
      known.trusted.addText(text, 'user');
      for (const number of numberWords(text)) known.trusted.addValue(number, 'user');
    },
    addAgentFile: (text) => known.trusted.addText(text, 'agent-files'),
    addAllowed: (values) => {
      for (const value of values) known.trusted.addValue(value, 'grant');
    },
    addUntrustedText: (text, source) => addUntrusted(known, text, source),
    addResult: (tool, areArgumentsTrusted, result) => addResult(known, { tool, areArgumentsTrusted, result }),
    labelOf: (value) => labelOf(known, value),
    run: () => ({ ...known.seen }),
  };
}

interface Known {
  readonly trusted: Corpus;
  readonly untrusted: Corpus;
  readonly seen: { hasPrivate: boolean; hasUntrusted: boolean };
}

function addUntrusted(known: Known, text: string, source: string): void {
  if (text === '') return;
  known.seen.hasUntrusted = true;
  known.untrusted.addText(text, source);
}

interface FinishedCall {
  readonly tool: ToolDeclaration;
  readonly areArgumentsTrusted: boolean;
  readonly result: ToolResult;
}

function addResult(known: Known, { tool, areArgumentsTrusted, result }: FinishedCall): void {
  const source = result.source ?? `tool:${tool.name}`;
  if (tool.effects.includes('private')) known.seen.hasPrivate = true;
  const { structured, isComplete } = structuredValues(result.data, tool.structured);
  if (areArgumentsTrusted && !result.isError) for (const value of structured) known.trusted.addValue(value, `tool:${tool.name}`);
  if (areArgumentsTrusted && isComplete && result.source === undefined) return;
  addUntrusted(known, result.text, source);
  if (result.data !== undefined) addUntrusted(known, JSON.stringify(result.data), source);
}

function labelOf(known: Known, value: JsonValue): Label {
  let source = 'user';
  for (const leaf of leavesOf(value)) {
    const spellings = spellingsOf(leaf);
    if (spellings.length === 0) continue;
    const from = firstFound(spellings, known.trusted);
    if (from === undefined) return { trust: 'untrusted', source: firstFound(spellings, known.untrusted) ?? 'model' };
    source = from;
  }
  return { trust: 'trusted', source };
}

/** Labels of a call's destinations and selectors. An argument that is not declared is a destination. */
export function labelArguments(tool: ToolDeclaration, args: JsonObject, trust: Trust): readonly ArgumentLabel[] {
  const labels: ArgumentLabel[] = [];
  for (const [argument, value] of Object.entries(args)) {
    const role = Object.hasOwn(tool.args, argument) ? (tool.args[argument]?.role ?? 'destination') : 'destination';
    if (role === 'content') continue;
    const isDefault = isSameValue(value, schemaDefault(tool, argument));
    labels.push({ argument, role, label: isDefault ? { trust: 'trusted', source: 'agent-files' } : trust.labelOf(value) });
  }
  return labels;
}

/** Whether every destination and selector of a call is trusted: what `addResult` asks for. */
export function areTrusted(labels: readonly ArgumentLabel[]): boolean {
  return labels.every(({ label }) => label.trust === 'trusted');
}

function firstFound(spellings: readonly string[], corpus: Corpus): string | undefined {
  for (const spelling of spellings) {
    const source = corpus.find(spelling);
    if (source !== undefined) return source;
  }
  return undefined;
}

function isSameValue(value: JsonValue, other: JsonValue | undefined): boolean {
  return other !== undefined && JSON.stringify(value) === JSON.stringify(other);
}
