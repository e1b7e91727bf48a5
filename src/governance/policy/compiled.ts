import type { LayerName, RuleRef, Verdict } from '../../contracts/policy.ts';
import type { Effect } from '../../contracts/tool.ts';
import type { CommandPattern } from './command-pattern.ts';
import type { Glob } from './glob.ts';
import type { HostPattern } from './host-pattern.ts';

/** A path pattern with the root it speaks of; `*` is every root. */
export interface PathPattern {
  readonly root: string;
  readonly glob: Glob;
}

/** A value or a pattern with `*` and `?` for an argument. */
export interface ValuePattern {
  readonly source: string;
  readonly folded: string;
  readonly isEverything: boolean;
}

/** One rule or one grant, ready to be compared; an undefined bound bounds nothing. All have one shape, for speed. */
export interface CompiledRule {
  readonly ref: RuleRef;
  readonly verdict: Verdict;
  /** Tool names and patterns with `*`. */
  readonly tools: readonly string[];
  readonly paths: readonly PathPattern[] | undefined;
  readonly hosts: readonly HostPattern[] | undefined;
  /** In upper case. */
  readonly methods: readonly string[] | undefined;
  readonly args: readonly (readonly [name: string, patterns: readonly ValuePattern[]])[] | undefined;
  readonly commands: readonly CommandPattern[] | undefined;
  /** Beneath the workspace. */
  readonly cwd: readonly Glob[] | undefined;
  readonly env: readonly string[] | undefined;
  readonly seconds: number | undefined;
  readonly agents: readonly string[] | undefined;
  readonly effects: readonly Effect[] | undefined;
  readonly why: string | undefined;
}

export interface CompiledLayer {
  readonly layer: LayerName;
  readonly file: string;
  /** What `default` refers to: the line of `rules:` or `grants:`. */
  readonly line: number;
  readonly rules: readonly CompiledRule[];
  /** Rules by the name of a tool, for every name that is known; others are searched in `rules`. */
  readonly byTool: ReadonlyMap<string, readonly CompiledRule[]>;
}
