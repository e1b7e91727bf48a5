/**
 * What is known of a value's origin. Trusted: what the user said, the agent's own files, a human's allowlist, a
 * structured field of a result whose own arguments were trusted. Everything else is untrusted, with its source.
 */
export interface Label {
  readonly trust: 'trusted' | 'untrusted';
  /** `user`, `agent-files`, `grant`, `tool:<name>`, `file:<path>`, `url:<address>`, `memory:<name>`, `session:<runId>`,
   * `webhook:<name>`, `chat:<role>`. */
  readonly source: string;
  /** Private data of this tenant. */
  readonly isPrivate?: boolean;
}

/** One destination or selector of a call, with the verdict on where its text came from. */
export interface ArgumentLabel {
  readonly argument: string;
  readonly role: 'destination' | 'selector';
  readonly label: Label;
}

/** What a run has seen so far; the strict preset ("rule of two") reads it. */
export interface RunLabels {
  readonly hasPrivate: boolean;
  readonly hasUntrusted: boolean;
}
