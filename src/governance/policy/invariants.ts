import { reachesClass, strictestClass, type BoundaryClass } from '../../contracts/isolation.ts';
import type { PolicyRequest, Resource } from '../../contracts/policy.ts';
import type { PolicySnapshot } from '../policy-snapshot.ts';
import { foldedSegments, type FileFact, type RequestFacts } from './covers.ts';
import { quote } from './quote.ts';

/** What no rule can allow, as sentences. */
export interface Refusal {
  readonly id: string;
  readonly reason: string;
  readonly remedy: string;
}

/** Folders whose content executes, configures or records; NTFS's short names and streams included. */
const closedFolder = /^(\.git|\.clawhold)(:.*)?$|^(git|clawho)~\d+$/;
/** Plain lower-case names, none of which begins with a dot: most paths, told at once. */
const harmless = /^[a-z0-9_-][a-z0-9_.-]*(?:\/[a-z0-9_-][a-z0-9_.-]*)*$/;
const writtenByAgent: ReadonlySet<string> = new Set(['DEVPLAN.md', 'HANDOFF.md']);
const readByAgent: ReadonlySet<string> = new Set([...writtenByAgent, 'SOUL.md', 'RULES.md', 'TOOLS.md', 'SPECPLAN.md']);

/** The first invariant that the call breaks: they hold before any policy is read, for every agent. */
export function brokenInvariant(facts: RequestFacts, snapshot: PolicySnapshot): Refusal | undefined {
  const { request } = facts;
  if (snapshot.tools !== undefined && !snapshot.tools.has(request.tool)) return unknownTool(request);
  for (const resource of request.resources) if (resource.kind === 'outside') return outside(resource);
  for (const file of facts.files) {
    const refusal = closedPath(file) ?? agentFolder(file, snapshot) ?? readOnlyRoot(file);
    if (refusal !== undefined) return refusal;
  }
  const demanded = snapshot.minimums?.get(request.tool);
  return facts.commands.length === 0 && demanded === undefined ? undefined : withoutSandbox(request, snapshot, demanded);
}

/** No sandbox, no command; and none weaker than any layer demands. */
function withoutSandbox(
  { sandbox, tool }: PolicyRequest,
  snapshot: PolicySnapshot,
  demanded: BoundaryClass | undefined,
): Refusal | undefined {
  const id = 'sandbox.unavailable';
  if (sandbox === undefined)
    return {
      id,
      reason: 'No sandbox was chosen, because agent.yaml grants no tool that needs one.',
      remedy: `A person grants it in ${agentFileOf(snapshot)}; the next run then chooses a sandbox.`,
    };
  const remedy = '`clawhold sandbox probe` shows what works here and why not; no rule can allow a command without a sandbox.';
  if (!sandbox.available)
    return {
      id,
      reason: `${demanded === undefined ? 'Commands run' : `${tool} runs`} in a sandbox or not at all: ${sandbox.reason.replace(/\.$/, '')}.`,
      remedy,
    };
  const minimum = strictestClass(snapshot.sandbox.minimum, demanded);
  if (reachesClass(sandbox.isolation, minimum)) return undefined;
  return {
    id,
    reason: `The sandbox ${sandbox.driver} is of the class ${sandbox.isolation}, and ${minimum} is the weakest ${minimum === snapshot.sandbox.minimum ? 'allowed' : `that ${tool} itself demands`}.`,
    remedy,
  };
}

function unknownTool(request: PolicyRequest): Refusal {
  return {
    id: 'unknown-tool',
    reason: `There is no tool named ${quote(request.tool)}.`,
    remedy: 'Nothing allows it; use one of the tools that `clawhold tools list` shows.',
  };
}

function outside(resource: Extract<Resource, { kind: 'outside' }>): Refusal {
  return {
    id: 'outside',
    reason: `The ${resource.argument} ${quote(resource.raw)} ${resource.why.replace(/\.$/, '')}.`,
    remedy: 'No rule can allow it; name a place that the agent may reach: its workspace, or a root of agent.yaml.',
  };
}

function closedPath(file: FileFact): Refusal | undefined {
  if (harmless.test(file.resource.path) || !foldedSegments(file).some((segment) => closedFolder.test(segment))) return undefined;
  return {
    id: 'closed-folder',
    reason: `${quote(shown(file))} lies in a .git or .clawhold folder, which no agent reads or writes.`,
    remedy: 'No rule can allow it; a person can look there or change it.',
  };
}

function agentFolder(file: FileFact, snapshot: PolicySnapshot): Refusal | undefined {
  const { root, path, access } = file.resource;
  if (root !== 'agent' || (access === 'write' ? writtenByAgent : readByAgent).has(path)) return undefined;
  const memory = /^memory\/([^/]+?)(?:\.md)?$/.exec(path)?.[1];
  if (memory !== undefined && (access === 'read' || snapshot.memory.has(memory))) return undefined;
  return {
    id: 'agent-files',
    reason:
      access === 'write'
        ? `An agent does not write ${quote(shown(file))}: of its own files it changes DEVPLAN.md, HANDOFF.md and granted memory.`
        : `An agent does not read ${quote(shown(file))}: of its own folder it reads its instructions and memory.`,
    remedy:
      memory === undefined
        ? 'No rule can allow it; a person edits the other files of an agent.'
        : `Add ${quote(memory)} to the list memory: in ${agentFileOf(snapshot)} to let the agent write it.`,
  };
}

function readOnlyRoot(file: FileFact): Refusal | undefined {
  const { root, access } = file.resource;
  if (access === 'read' || root === 'workspace' || root === 'agent') return undefined;
  return {
    id: 'read-only-root',
    reason: `${quote(shown(file))} lies in the root "${root}", which is read-only, as every root but the workspace is.`,
    remedy: 'No rule can allow it; let the agent write in its workspace.',
  };
}

function shown(file: FileFact): string {
  const { root, path } = file.resource;
  return root === 'workspace' ? path : `${root}:${path}`;
}

function agentFileOf(snapshot: PolicySnapshot): string {
  return snapshot.layers.find((layer) => layer.layer === 'agent')?.file ?? 'agent.yaml';
}
