import { isDeeperThan, maxJsonDepth, type JsonValue } from '../contracts/json.ts';
import { findAssignments, isSecretField } from './redact/assignments.ts';
import { findPattern, type NamedPattern } from './redact/custom-patterns.ts';
import { findExactValues, secretForms, type NamedSecret } from './redact/exact-values.ts';
import type { Finder } from './redact/find.ts';
import { findPrivateKeys } from './redact/private-keys.ts';
import { settledLength, type SettleContext } from './redact/redact-stream.ts';
import { findTokens, tokenShapes } from './redact/token-shapes.ts';

export type { NamedPattern, NamedSecret };

export interface RedactedStream {
  push(delta: string): void;
  /** Says what is still held back. */
  flush(): void;
}

/**
 * Hides secrets where a value enters a run, so that everything after it holds the same bytes.
 *
 * Contract: redacting twice is redacting once; the same text gives the same result in every process; the time is
 * linear in the text; parts of a stream join to the redacted whole, however it was split.
 */
export interface Redactor {
  text(text: string): string;
  /** All texts in it, keys too. What is nested deeper than `maxJsonDepth` is hidden as a whole. */
  json<T extends JsonValue>(value: T): T;
  /**
   * A JSON document in its spelling, such as a tool call's arguments: what it says is redacted, escapes included, and it
   * stays JSON. What is no JSON is redacted as text.
   */
  jsonText(text: string): string;
  /** Holds back what may still become a secret. */
  stream(onText: (text: string) => void): RedactedStream;
}

export interface RedactorOptions {
  /** Hidden wherever they occur, also in base 64, hexadecimal, URL and JSON spelling. Shorter than 8 letters: ignored. */
  readonly secrets: readonly NamedSecret[];
  /** From the configuration. */
  readonly patterns: readonly NamedPattern[];
}

const markerStart = '[redacted:';
const wholeMarker = /^\[redacted:[A-Za-z0-9_.-]{1,80}\]$/;

/** What stands in a secret's place. */
export function marker(name: string): string {
  return `${markerStart}${name.replaceAll(/[^A-Za-z0-9_.-]/g, '-').slice(0, 80) || 'secret'}]`;
}

/** @throws FixRequestError `governance.bad-pattern` */
export function createRedactor(options: RedactorOptions): Redactor {
  const forms = secretForms(options.secrets);
  const patterns = options.patterns.map(findPattern);
  const stages: Stages = {
    across: [findExactValues(forms), findPrivateKeys],
    within: [findTokens, findAssignments, ...patterns],
    byLine: patterns.length > 0,
    markers: markersOf([...options.secrets, ...options.patterns, ...tokenShapes].map(({ name }) => name)),
  };
  const settle: SettleContext = {
    spacedForms: forms.map((form) => form.text).filter((text) => /[ \t\n]/.test(text)),
    wholeLines: stages.byLine,
  };
  const text = (whole: string): string => redactText(stages, whole);
  return {
    text,
    json: <T extends JsonValue>(value: T) => redactDocument(text, value) as T,
    jsonText: (spelled) => redactJsonText(text, spelled),
    stream: (onText) => openStream(text, settle, onText),
  };
}

interface Stages {
  /** May find something that spans lines. */
  readonly across: readonly Finder[];
  readonly within: readonly Finder[];
  readonly byLine: boolean;
  readonly markers: RegExp;
}

/**
 * The markers that this redactor itself makes: they are passed over. Any other name is text, or a secret could hide as
 * the name of a marker.
 */
function markersOf(names: readonly string[]): RegExp {
  const known = [...new Set([...names, 'private-key', 'assignment', 'field', 'unsettled'])].map((name) => RegExp.escape(marker(name)));
  return new RegExp(`(${known.join('|')})`);
}

/** Deeper, only a pattern that feeds on what it leaves gets; the rest of the piece is hidden then. */
const maxDepth = 24;

function redactText(stages: Stages, text: string): string {
  if (!text.includes(markerStart)) return redactAcross(stages, text);
  return text
    .split(stages.markers)
    .map((piece, index) => (index % 2 === 1 ? piece : redactAcross(stages, piece)))
    .join('');
}

function redactAcross(stages: Stages, text: string): string {
  const stage: Stage = { finders: stages.across, done: (rest) => redactWithin(stages, rest) };
  return redactPiece(stage, text, 0);
}

function redactWithin(stages: Stages, text: string): string {
  const stage: Stage = { finders: stages.within, done: (rest) => rest };
  if (!stages.byLine) return redactPiece(stage, text, 0);
  return text
    .split('\n')
    .map((line) => redactPiece(stage, line, 0))
    .join('\n');
}

interface Stage {
  readonly finders: readonly Finder[];
  /** What happens to a piece in which nothing was found. */
  readonly done: (rest: string) => string;
}

/**
 * Replaces what the first finder with a find has found, and begins again with each piece in between: a piece is done
 * when nobody finds anything in it alone, which is what makes a second redaction change nothing.
 */
function redactPiece(stage: Stage, text: string, depth: number): string {
  if (text === '') return '';
  if (depth > maxDepth) return marker('unsettled');
  for (const find of stage.finders) {
    const spans = find(text);
    if (spans.length === 0) continue;
    const parts: string[] = [];
    let from = 0;
    for (const span of spans) {
      parts.push(redactPiece(stage, text.slice(from, span.start), depth + 1), marker(span.name));
      from = span.end;
    }
    parts.push(redactPiece(stage, text.slice(from), depth + 1));
    return parts.join('');
  }
  return stage.done(text);
}

function redactDocument(text: (whole: string) => string, value: JsonValue): JsonValue {
  return isDeeperThan(value, maxJsonDepth) ? marker('unsettled') : redactJson(text, value);
}

function redactJson(text: (whole: string) => string, value: JsonValue): JsonValue {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return value.map((each: JsonValue) => redactJson(text, each));
  if (typeof value !== 'object' || value === null) return value;
  const result: Record<string, JsonValue> = {};
  for (const [key, field] of Object.entries(value)) {
    let name = text(key);
    for (let n = 2; Object.hasOwn(result, name); n += 1) name = `${text(key)}#${n}`;
    const isHidden = typeof field === 'string' && !wholeMarker.test(field) && isSecretField(key, field);
    const redacted = isHidden ? marker('field') : redactJson(text, field);
    Object.defineProperty(result, name, { value: redacted, enumerable: true, writable: true, configurable: true });
  }
  return result;
}

function redactJsonText(text: (whole: string) => string, spelled: string): string {
  let value: JsonValue;
  try {
    value = JSON.parse(spelled) as JsonValue;
  } catch {
    // silent-ok: a model may write anything; it is hidden as text then
    return text(spelled);
  }
  if (isDeeperThan(value, maxJsonDepth)) return JSON.stringify(marker('unsettled'));
  const before = JSON.stringify(value);
  const after = JSON.stringify(redactJson(text, value));
  return before === after && !hidesDuplicate(text, spelled, before) ? spelled : after;
}

/** Of two fields with one name JSON keeps the last: what only the spelling says must not pass beside it. */
function hidesDuplicate(text: (whole: string) => string, spelled: string, before: string): boolean {
  return spelled.length > before.length && text(spelled) !== spelled;
}

function openStream(text: (whole: string) => string, settle: SettleContext, onText: (text: string) => void): RedactedStream {
  let held = '';
  let nextLook = 0;
  const say = (part: string): void => {
    if (part !== '') onText(text(part));
  };
  return {
    push(delta) {
      held += delta;
      if (!/[ \t\n]/.test(delta) || held.length < nextLook) return;
      const length = settledLength(held, settle);
      say(held.slice(0, length));
      held = held.slice(length);
      // A long text that stays held is looked at again only when it has grown by a quarter: linear over all.
      nextLook = held.length < 4096 ? 0 : held.length + Math.ceil(held.length / 4);
    },
    flush() {
      say(held);
      held = '';
      nextLook = 0;
    },
  };
}
