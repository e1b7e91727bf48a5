import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { openApiDocument } from '../src/gateway/openapi.ts';
import { routeTable } from '../src/gateway/route-table.ts';
import { rooms } from '../src/rooms.ts';
import { deniedCalls } from '../src/sandbox/seccomp/system-calls.ts';
import { toolCodes } from '../src/tools/tool-code.ts';
import { readTokens } from './read-tokens.ts';

/**
 * Tables in the documents that code knows better. Each stands between `<!-- generated: NAME -->` and
 * `<!-- end -->`; `npm run docs` writes them, `test/documents.test.ts` compares.
 */
const root = path.join(import.meta.dirname, '..');

export interface GeneratedPart {
  readonly file: string;
  readonly name: string;
  render(): string;
}

export const generatedParts: readonly GeneratedPart[] = [
  { file: 'ARCHITECTURE.md', name: 'rooms', render: renderRooms },
  { file: 'docs/CONTRACTS.md', name: 'error codes', render: renderErrorCodes },
  { file: 'docs/CONTRACTS.md', name: 'tool codes', render: renderToolCodes },
  { file: 'docs/CONTRACTS.md', name: 'HTTP endpoints', render: renderEndpoints },
  { file: 'docs/sandboxes.md', name: 'system calls', render: renderSystemCalls },
];

/** The document with its part replaced. */
export function withPart(text: string, part: GeneratedPart): string {
  const start = `<!-- generated: ${part.name} -->\n`;
  const from = text.indexOf(start);
  const to = text.indexOf('<!-- end -->', from);
  if (from === -1 || to === -1)
    throw new Error(`${part.file} has no part "${part.name}" between ${start.trim()} and <!-- end -->: add both lines.`);
  return text.slice(0, from + start.length) + part.render() + text.slice(to);
}

function renderRooms(): string {
  const rows = Object.entries(rooms).map(([name, room]) => {
    const imports = room.mayImport.length === 0 ? 'nothing' : room.mayImport.map((other) => (other === '*' ? 'all' : other)).join(', ');
    return `| ${name} | ${room.purpose} | ${imports} | ${(room.mayLoad ?? []).map((module) => `\`${module}\``).join(', ')} |`;
  });
  return `| room | purpose | may import | alone may load |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function renderToolCodes(): string {
  const rows = Object.entries(toolCodes).map(([code, meaning]) => `| \`${code}\` | ${meaning} |`);
  return `| code | meaning |\n|---|---|\n${rows.join('\n')}\n`;
}

const remedies: Readonly<Record<string, string>> = {
  FixRequestError: 'fix-request',
  RetryableError: 'retry',
  AskHumanError: 'ask-human',
  GiveUpError: 'give-up',
  ModelError: 'by class',
};

/** Every literal code of a thrown error, whose class says the remedy, or of a result that no tool made. */
function renderErrorCodes(): string {
  const found = new Map<string, { remedy: string; rooms: Set<string> }>();
  for (const file of globSync('src/**/*.ts', { cwd: root }).toSorted()) {
    if (file.endsWith('.test.ts') || file.endsWith('conformance.ts') || file.split(path.sep).includes('fixtures')) continue;
    for (const { code, remedy } of codesIn(readFileSync(path.join(root, file), 'utf8'))) {
      if (Object.hasOwn(toolCodes, code)) continue;
      const entry = found.get(code) ?? { remedy, rooms: new Set() };
      entry.rooms.add(file.split(path.sep)[1]!);
      found.set(code, entry);
    }
  }
  const rows = [...found.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `| code | remedy | room |\n|---|---|---|\n${rows.map(([code, entry]) => `| \`${code}\` | ${entry.remedy} | ${[...entry.rooms].toSorted().join(', ')} |`).join('\n')}\n`;
}

const isResult = 'a result, or by class';

function codesIn(source: string): { readonly code: string; readonly remedy: string }[] {
  const tokens = readTokens(source);
  return tokens.flatMap((token, i) => {
    if (token.kind !== 'string' || !/^[a-z]+(?:\.[a-z][a-z0-9-]*)+$/.test(token.text)) return [];
    const before = tokens[i - 2]?.text ?? '';
    const isFirst = tokens[i - 1]?.text === '(';
    if (isFirst && Object.hasOwn(remedies, before)) return [{ code: token.text, remedy: remedies[before]! }];
    if ((isFirst && before === 'refused') || isNamedCode(tokens.slice(0, i))) return [{ code: token.text, remedy: isResult }];
    return [];
  });
}

/** Of what stands before a text: `code:` or `code =`, and between them nothing but a choice (`isGone ? 'a.b' : `). */
function isNamedCode(before: readonly ReturnType<typeof readTokens>[number][]): boolean {
  const start = before.findLastIndex(({ text }) => /^[,;(){}]$/.test(text)) + 1;
  const at = before.findIndex(({ kind, text }, index) => index >= start && kind !== 'string' && text === 'code');
  if (at === -1 || !/^[:=]$/.test(before[at + 1]?.text ?? '')) return false;
  return before.length === at + 2 || /^[?:]$/.test(before.at(-1)?.text ?? '');
}

if (import.meta.main) {
  for (const part of generatedParts) {
    const file = path.join(root, part.file);
    writeFileSync(file, withPart(readFileSync(file, 'utf8'), part));
  }
}

function renderSystemCalls(): string {
  const rows = deniedCalls.map(({ why, calls }) => `| ${why} | ${calls.map(({ name }) => `\`${name}\``).join(' ')} |`);
  return `| refused with EPERM | calls |\n|---|---|\n${rows.join('\n')}\n`;
}

interface Shape {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Shape }>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Shape }>> }>>;
}

/** From the same description that the server gives at /openapi.json. */
function renderEndpoints(): string {
  const table = routeTable();
  const paths = openApiDocument(table, '')['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  const rows = table.map((route) => {
    const operation = paths[route.path]![route.method.toLowerCase()]!;
    const query = (operation.parameters ?? []).filter((one) => one.in === 'query').map(({ name }) => `${name}?`);
    const body = fieldsOf(operation.requestBody?.content['application/json']?.schema);
    const request = [...(query.length === 0 ? [] : [`query: ${query.join(', ')}`]), ...(body === '' ? [] : [`body: ${body}`])].join('; ');
    const [answer] = Object.entries(operation.responses[String(route.status ?? 200)]?.content ?? {});
    const fields = fieldsOf(answer?.[1].schema);
    const shown = `${route.status ?? 200}: ${fields === '' ? answer?.[0] : fields}`;
    const whose =
      route.roles.length === 0 ? route.scope : `${route.scope === 'platform' ? 'tenant `default`: ' : ''}${route.roles.join(', ')}`;
    return `| \`${route.method} ${route.path}\` | ${whose} | ${request} | ${shown} |`;
  });
  return `| endpoint | for | request | answer |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function fieldsOf(shape: Shape | undefined): string {
  return Object.keys(shape?.properties ?? {})
    .map((name) => (shape?.required?.includes(name) === true ? name : `${name}?`))
    .join(', ');
}
