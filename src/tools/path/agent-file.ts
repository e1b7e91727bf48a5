/** The agent's own files that it may read; the last two it may also change. */
const readable: ReadonlySet<string> = new Set(['SOUL.md', 'RULES.md', 'TOOLS.md', 'SPECPLAN.md', 'DEVPLAN.md', 'HANDOFF.md']);
const writable: ReadonlySet<string> = new Set(['DEVPLAN.md', 'HANDOFF.md']);
const memoryFile = /^memory\/([a-z][a-z0-9-]{0,62})(?:\.md)?$/;

/**
 * The one spelling of a path beneath `agent:`, or undefined when nothing of that name exists there for the agent:
 * `agent.yaml` and whatever else a human keeps in the folder is not there. `memory/notes` is `memory/notes.md`.
 */
export function agentFile(path: string): string | undefined {
  if (path === '.' || path === 'memory' || readable.has(path)) return path;
  const name = memoryFile.exec(path)?.[1];
  return name === undefined ? undefined : `memory/${name}.md`;
}

/** Whether the agent may change the file; `memory` are the names that a human granted. */
export function isAgentWritable(path: string, memory: readonly string[]): boolean {
  if (writable.has(path)) return true;
  const name = memoryFile.exec(path)?.[1];
  return name !== undefined && memory.includes(name);
}
