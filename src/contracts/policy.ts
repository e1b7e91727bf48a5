import type { AgentId, TenantId } from './ids.ts';
import type { JsonObject, Sha256 } from './json.ts';
import type { ArgumentLabel, RunLabels } from './label.ts';
import type { SandboxFacts } from './isolation.ts';
import type { Effect } from './tool.ts';

export type Verdict = 'allow' | 'ask' | 'deny';
export type LayerName = 'platform' | 'tenant' | 'agent';

/** Who asks: in one process the local user; later a token's owner or an executor. */
export interface Principal {
  readonly kind: 'user' | 'service' | 'executor';
  readonly id: string;
}

/** One thing that a call touches, read from its arguments by their declared kinds. */
export type Resource =
  /** `root` is `workspace`, `agent` or a named read-only root; `path` is normalized, relative, with `/`, and `.` for the root itself. */
  | { readonly kind: 'file'; readonly argument: string; readonly root: string; readonly path: string; readonly access: 'read' | 'write' }
  /** A path that leads outside every root, or cannot be one; always denied. */
  | { readonly kind: 'outside'; readonly argument: string; readonly raw: string; readonly why: string }
  | { readonly kind: 'host'; readonly argument: string; readonly host: string; readonly port?: number; readonly method?: string }
  | {
      readonly kind: 'command';
      readonly argument: string;
      readonly argv: readonly string[];
      /** Normalized, relative to the workspace, `.` for itself. */
      readonly cwd: string;
      /** Names of the environment variables that the call sets. */
      readonly env: readonly string[];
      readonly seconds: number;
    };

/** Everything a decision may depend on. Canonical JSON of it is what an approval is bound to. */
export interface PolicyRequest {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly principal: Principal;
  readonly tool: string;
  readonly effects: readonly Effect[];
  readonly args: JsonObject;
  readonly resources: readonly Resource[];
  /** Destinations and selectors only. */
  readonly labels: readonly ArgumentLabel[];
  readonly run: RunLabels;
  /** Where a command would run; only in requests that have one. */
  readonly sandbox?: SandboxFacts;
  /** Milliseconds since the epoch: `decide` has no clock of its own. */
  readonly nowMs: number;
}

/** Where a rule stands, so that a human can open it. */
export interface RuleRef {
  readonly layer: LayerName | 'invariant' | 'flow';
  /** The rule's `id`, or `grants.fs.write` for a grant, or `default` for deny-by-default. */
  readonly id: string;
  readonly file: string;
  /** 1-based; 0 for a rule that is built in. */
  readonly line: number;
}

export interface LayerVerdict {
  readonly layer: RuleRef['layer'];
  readonly verdict: Verdict;
  readonly rule: RuleRef;
}

export interface Decision {
  readonly verdict: Verdict;
  /** The rule that decided: of the strictest layer, the first that gave its verdict. */
  readonly rule: RuleRef;
  /** One sentence: why. */
  readonly reason: string;
  /** One sentence: what a human could change so that the call is allowed; or that nothing does. */
  readonly remedy: string;
  readonly layers: readonly LayerVerdict[];
  readonly policyHash: Sha256;
}

/** One policy file as it was read: what is hashed, pinned and shown. */
export interface PolicySource {
  readonly layer: LayerName;
  /** Path for people, relative to the home. `builtin:platform` for a default that no file replaces. */
  readonly file: string;
  readonly text: string;
}
