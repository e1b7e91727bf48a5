import type { LayerVerdict } from '../../contracts/policy.ts';
import { defaultCommandSeconds } from '../../contracts/tool.ts';
import type { CompiledLayer, CompiledRule } from './compiled.ts';
import type { RequestFacts } from './covers.ts';
import { quote } from './quote.ts';

export interface Answered {
  readonly verdict: LayerVerdict;
  readonly layer: CompiledLayer;
  readonly rule: CompiledRule | undefined;
}

/** One sentence: which rule decided and why it is there. */
export function layerReason({ verdict: { verdict, rule }, layer, rule: compiled }: Answered, facts: RequestFacts): string {
  const { tool, agent } = facts.request;
  if (compiled === undefined) return `${defaultReason(layer, facts)}, and what is not allowed is denied.`;
  const why = compiled.why === undefined ? '' : `: ${compiled.why.replace(/\.$/, '')}`;
  const verb = { allow: 'allows', ask: 'wants a person to approve', deny: 'denies' }[verdict];
  return `${rule.id} (${rule.file}:${rule.line}) ${verb} ${quoteTool(tool)} for agent ${agent}${why}.`;
}

function defaultReason(layer: CompiledLayer, facts: RequestFacts): string {
  const { tool, agent } = facts.request;
  const near = (layer.byTool.get(tool) ?? []).filter((rule) => rule.verdict !== 'deny');
  const what = touched(facts);
  if (layer.layer === 'agent' && near.length === 0) return `${layer.file} grants ${quoteTool(tool)} to agent ${agent} nowhere`;
  if (near.length === 0) return `No rule of the ${layer.layer} policy (${layer.file}) allows ${quoteTool(tool)}`;
  const places = near.map((rule) => `${rule.ref.id} at ${rule.ref.file}:${rule.ref.line}`).join(', ');
  return `${what === '' ? 'The call' : what} is outside the bounds that allow ${quoteTool(tool)} (${places})`;
}

/** One sentence: what a human would write, and where, so that this layer no longer stands in the way. */
export function layerRemedy({ verdict: { verdict, rule }, layer, rule: compiled }: Answered, facts: RequestFacts): string {
  const { tool } = facts.request;
  const file = fileToWrite(layer, facts);
  if (compiled !== undefined) {
    if (verdict === 'ask') return `A person can approve this call; to be asked no more, change ${rule.id} at ${rule.file}:${rule.line}.`;
    return `Only someone who may edit ${file} can allow it, by changing the rule ${rule.id} at ${rule.file}:${rule.line}.`;
  }
  const bounds = suggestedBounds(facts);
  if (layer.layer === 'agent') return `To allow it, add this line under grants: in ${file}: ${quoteTool(tool)}: {${bounds}}`;
  const more = bounds === '' ? '' : `, ${bounds}`;
  return `To allow it, add this line under rules: in ${file}: - {id: allow-${idOf(tool)}, allow: ${quoteTool(tool)}${more}}`;
}

/** The narrowest bounds that admit this very call. */
function suggestedBounds(facts: RequestFacts): string {
  const parts: string[] = [];
  const paths = namedFiles(facts).map(({ resource: { root, path } }) => quote(literal(root === 'workspace' ? path : `${root}:${path}`)));
  if (paths.length > 0 && !paths.includes('"."')) parts.push(`paths: [${paths.join(', ')}]`);
  const hosts = facts.hosts.map(({ host, port }) => quote(port === undefined ? host : `${host}:${port}`));
  if (hosts.length > 0) parts.push(`hosts: [${hosts.join(', ')}]`);
  for (const command of facts.commands.slice(0, 1)) parts.push(...commandBounds(command));
  return parts.join(', ');
}

/** As a list of words, which has no sign that a shell or YAML would read. */
function commandBounds({ argv, env, cwd, seconds }: RequestFacts['commands'][number]): string[] {
  const words = argv.map((word, at) => JSON.stringify(at === 0 ? word : word.replace(/[*]/g, '?')));
  return [
    `commands: [[${words.join(', ')}]]`,
    ...(cwd === '.' ? [] : [`cwd: [${quote(literal(cwd))}]`]),
    ...(env.length === 0 ? [] : [`env: [${env.join(', ')}]`]),
    ...(seconds === defaultCommandSeconds ? [] : [`seconds: ${seconds}`]),
  ];
}

/** A pattern for one name: what a name holds of our own syntax becomes ?, so that no suggestion is wider than one call. */
function literal(path: string): string {
  return path.replace(/[*{}[\]!]/g, '?');
}

/** The folder that a command starts in is told with the command. */
function namedFiles({ files, commands }: RequestFacts): RequestFacts['files'] {
  return commands.length === 0 ? files : files.filter(({ resource }) => resource.argument !== 'cwd');
}

function touched(facts: RequestFacts): string {
  const names = [
    ...namedFiles(facts).map(({ resource: { root, path } }) => quote(root === 'workspace' ? path : `${root}:${path}`)),
    ...facts.hosts.map(({ host }) => quote(host)),
    ...facts.commands.map(({ argv }) => quote(argv.join(' '))),
  ];
  return names.slice(0, 3).join(', ');
}

function fileToWrite(layer: CompiledLayer, facts: RequestFacts): string {
  if (layer.file === 'builtin:platform') return 'policies/platform.yaml (which replaces the built-in policy)';
  if (layer.file === 'builtin:tenant') return `tenants/${facts.request.tenant}/policy.yaml`;
  if (layer.file === 'builtin:agent') return `tenants/${facts.request.tenant}/agents/${facts.request.agent}/agent.yaml`;
  return layer.file;
}

function quoteTool(tool: string): string {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(tool) ? tool : quote(tool);
}

function idOf(tool: string): string {
  const id = tool
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40);
  return id === '' ? 'call' : id;
}
