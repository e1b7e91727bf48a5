/** One Markdown file of an agent: where it stands in the prompt, how much of it enters, and whose words it holds. */
export interface BootstrapFile {
  readonly name: string;
  /** UTF-8 bytes that enter the prompt; the rest is cut, and the prompt says so. */
  readonly maxBytes: number;
  /** `human`: instructions. `agent`: written by the agent itself, so its text is data and enters fenced. */
  readonly author: 'human' | 'agent';
}

/** In prompt order. The order is fixed, so that the same files give the same bytes. */
export const bootstrapFiles: readonly BootstrapFile[] = [
  { name: 'SOUL.md', maxBytes: 8 * 1024, author: 'human' },
  { name: 'RULES.md', maxBytes: 8 * 1024, author: 'human' },
  { name: 'TOOLS.md', maxBytes: 8 * 1024, author: 'human' },
  { name: 'SPECPLAN.md', maxBytes: 32 * 1024, author: 'human' },
  { name: 'DEVPLAN.md', maxBytes: 16 * 1024, author: 'agent' },
  { name: 'HANDOFF.md', maxBytes: 16 * 1024, author: 'agent' },
];

/** Of each file in `memory/`, and of all of them together. */
export const memoryFileMaxBytes: number = 8 * 1024;
export const memoryTotalMaxBytes: number = 32 * 1024;
