import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { ArgumentLabel, Label, RunLabels } from '../contracts/label.ts';
import type { ToolDeclaration, ToolResult } from '../contracts/tool.ts';
import { type Choices, newChoices } from './labels/choices.ts';
import { newCorpus, type Corpus } from './labels/corpus.ts';
import { type DatesHeard, hearDates, isHeardMoment } from './labels/dates.ts';
import { leavesOf, spellingsOf } from './labels/leaves.ts';
import { residualText } from './labels/residual.ts';
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
  addAgentFile(name: string, text: string): void;
  /** Values a human listed: `trusted:` of a policy. */
  addAllowed(values: readonly string[]): void;
  /** Free text from elsewhere: memory, DEVPLAN.md, HANDOFF.md, what the model said in an earlier run. */
  addUntrustedText(text: string, source: string): void;
  /**
   * The result of a call that was performed, with the request's arguments and labels. Its structured fields are trusted
   * when its own destinations and selectors were; everything else is untrusted.
   */
  addResult(tool: ToolDeclaration, call: LabelledCall, result: ToolResult): void;
  /** Where a value comes from. */
  labelOf(value: JsonValue): Label;
  run(): RunLabels;
}

/** A `PolicyRequest` is one. */
export interface LabelledCall {
  readonly args: JsonObject;
  readonly labels: readonly ArgumentLabel[];
}

export function newTrust(): Trust {
  const known: Known = {
    choices: newChoices(),
    // Of what is not known for sure, the safe thing is said: it was not said by the user, and it was by somebody else.
    trusted: newCorpus('absent'),
    untrusted: newCorpus('found'),
    dates: { days: new Set(), times: new Set() },
    seen: { hasPrivate: false, hasUntrusted: false },
  };
  // Texts are indexed in order, but only when something is asked: a run without tool calls never asks.
  const pending: (() => void)[] = [];
  const settled = (): Known => {
    for (const add of pending.splice(0)) add();
    return known;
  };
  return {
    addUserText: (text) => void pending.push(() => addUserText(known, text)),
    addAgentFile: (_name, text) => void pending.push(() => addTrustedText(known, text, 'agent-files')),
    addAllowed: (values) =>
      void pending.push(() => {
        for (const value of values) known.trusted.addValue(value, 'grant');
      }),
    addUntrustedText: (text, source) => void pending.push(() => addUntrusted(known, text, source)),
    addResult: (tool, call, result) => void pending.push(() => addResult(known, { tool, call, result })),
    labelOf: (value) => labelOf(settled(), value),
    run: () => ({ ...settled().seen }),
  };
}

interface Known {
  readonly trusted: Corpus;
  readonly untrusted: Corpus;
  readonly choices: Choices;
  readonly dates: DatesHeard;
  readonly seen: { hasPrivate: boolean; hasUntrusted: boolean };
}

function addUserText(known: Known, text: string): void {
  addTrustedText(known, text, 'user');
  for (const number of numberWords(text)) known.trusted.addValue(number, 'user');
}

function addTrustedText(known: Known, text: string, source: string): void {
  known.trusted.addText(text, source);
  hearDates(text, known.dates);
}

function addUntrusted(known: Known, text: string, source: string): void {
  if (text === '') return;
  known.seen.hasUntrusted = true;
  known.untrusted.addText(text, source);
}

interface FinishedCall {
  readonly tool: ToolDeclaration;
  readonly call: LabelledCall;
  readonly result: ToolResult;
}

function addResult(known: Known, { tool, call, result }: FinishedCall): void {
  const source = result.source ?? `tool:${tool.name}`;
  if (tool.effects.includes('private')) known.seen.hasPrivate = true;
  const isTrusted = areTrusted(call.labels) && !result.isError;
  const { structured, isInert } = structuredValues(result.data, tool.structured);
  if (isTrusted) {
    for (const { argument } of call.labels) known.choices.choose(call.args[argument] ?? null);
    trustValues(known, structured, `tool:${tool.name}`);
    known.choices.addRecords(result.data ?? null);
    if (isInert && result.source === undefined) return;
  }
  addUntrusted(known, residualText(result.text, isTrusted ? structured : []), source);
}

function trustValues(known: Known, values: readonly string[], source: string): void {
  for (const value of values) {
    known.trusted.addValue(value, source);
    if (/^\d{4}-\d\d-\d\d$/.test(value)) known.dates.days.add(value);
  }
}

function labelOf(known: Known, value: JsonValue): Label {
  let source = 'user';
  for (const leaf of leavesOf(value)) {
    const spellings = spellingsOf(leaf);
    if (spellings.length === 0) continue;
    const from = firstFound(spellings, known.trusted) ?? heardMoment(known, leaf);
    if (from === undefined) return { trust: 'untrusted', source: firstFound(spellings, known.untrusted) ?? 'model' };
    const steer = from.startsWith('tool:') && !known.choices.isChosen(leaf) ? firstFound(spellings, known.untrusted) : undefined;
    if (steer !== undefined) return { trust: 'untrusted', source: steer };
    source = from;
  }
  return { trust: 'trusted', source };
}

function heardMoment(known: Known, leaf: JsonValue): string | undefined {
  return typeof leaf === 'string' && isHeardMoment(leaf, known.dates) ? 'user' : undefined;
}

/**
 * Labels of a call's destinations and selectors. An argument that is not declared is a destination. While a run has
 * read nothing untrusted, nobody but the user can have steered what the model looks up: then the arguments of a call
 * without effects are trusted, although no text holds them.
 */
export function labelArguments(tool: ToolDeclaration, args: JsonObject, trust: Trust): readonly ArgumentLabel[] {
  const isUnsteered = !trust.run().hasUntrusted && !tool.effects.includes('mutating') && !tool.effects.includes('outside');
  const labels: ArgumentLabel[] = [];
  for (const [argument, value] of Object.entries(args)) {
    const role = Object.hasOwn(tool.args, argument) ? (tool.args[argument]?.role ?? 'destination') : 'destination';
    if (role === 'content') continue;
    if (isSameValue(value, schemaDefault(tool, argument)))
      labels.push({ argument, role, label: { trust: 'trusted', source: 'agent-files' } });
    else labels.push({ argument, role, label: isUnsteered ? { trust: 'trusted', source: 'model' } : trust.labelOf(value) });
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
