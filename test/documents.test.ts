import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { generatedParts, withPart } from '../build/generated-docs.ts';
import { agentConfig, clawholdConfig, defaultLimits, llmConfig, policyFile } from '../src/contracts/config.ts';
import { mcpPins } from '../src/contracts/mcp-pins.ts';
import { defaultPool } from '../src/cli/open-sandbox-pool.ts';
import { brokerPolicy } from '../src/contracts/broker-config.ts';
import { ledgerEvents } from '../src/contracts/ledger.ts';
import { tenantConfig } from '../src/contracts/tenant.ts';
import { platformProjects, tenantProjects } from '../src/contracts/project.ts';
import { scheduleJob } from '../src/contracts/schedule.ts';
import { resumableStates, runStates } from '../src/contracts/run.ts';
import { taskMessage } from '../src/contracts/task.ts';
import { workflowFile } from '../src/contracts/workflow.ts';
import { sectionOf, tableRows } from './documents/read-markdown.ts';
import { schemaFields, topFields } from './documents/schema-fields.ts';

const root = path.join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

const configFiles = {
  'clawhold.yaml': clawholdConfig,
  'llm.yaml': llmConfig,
  'agent.yaml': agentConfig,
  'policy.yaml': policyFile,
  'tenant.yaml': tenantConfig,
  'projects.yaml': platformProjects,
  'tenant projects.yaml': tenantProjects,
  'broker.yaml': brokerPolicy,
  'mcp.yaml': mcpPins,
  'workflow.yaml': workflowFile,
};
for (const [file, schema] of Object.entries(configFiles)) {
  test(`docs/CONFIG.md has exactly the fields of ${file}, each with its meaning and default`, () => {
    const rows = tableRows(sectionOf(read('docs/CONFIG.md'), file));

    assert.deepEqual(rows.map(([field]) => field).toSorted(), schemaFields(schema));
    for (const [field, meaning, initial] of rows) assert.ok(meaning !== '' && initial !== '', `${field} needs a meaning and a default`);
  });
}

test('docs/CONFIG.md names the default limits that the program uses', () => {
  const rows = tableRows(sectionOf(read('docs/CONFIG.md'), 'clawhold.yaml'));

  for (const [name, value] of Object.entries(defaultLimits)) {
    assert.equal(rows.find(([field]) => field === `limits.${name}`)?.[2], String(value));
  }
});

test('docs/CONFIG.md names the default bounds of warm sandboxes that the program uses', () => {
  const rows = tableRows(sectionOf(read('docs/CONFIG.md'), 'clawhold.yaml'));

  for (const [name, value] of Object.entries(defaultPool)) {
    assert.equal(rows.find(([field]) => field === `sandbox.pool.${name}`)?.[2], String(value));
  }
});

test('docs/CONTRACTS.md has every ledger event with its exact fields', () => {
  const rows = tableRows(sectionOf(read('docs/CONTRACTS.md'), 'Ledger events'));

  const documented = Object.fromEntries(rows.map(([event, fields]) => [event, fields?.split(', ')]));
  assert.deepEqual(documented, Object.fromEntries(Object.entries(ledgerEvents).map(([event, schema]) => [event, topFields(schema)])));
});

test('docs/CONTRACTS.md has exactly the fields of a scheduler job, and the schema refuses a job that lacks one', () => {
  const job = { id: 'a', tenant: 'default', agent: 'main', when: { every: '1m' }, message: 'Go.', mode: 'isolated', notify: null };
  const rows = tableRows(sectionOf(read('docs/CONTRACTS.md'), 'Scheduler job')).map(([field]) => field);

  assert.deepEqual(rows.toSorted(), topFields(scheduleJob).toSorted());
  assert.equal(scheduleJob.safeParse({ ...job, missed: 'once', interrupted: 'skip', jitterSeconds: 5 }).success, true);
  for (const field of Object.keys(job)) assert.equal(scheduleJob.safeParse({ ...job, [field]: undefined }).success, false, field);
  assert.equal(scheduleJob.safeParse({ ...job, when: { every: '1m', cron: '@daily' } }).success, false);
});

test('docs/CONTRACTS.md has the task message: its fields, an example that round-trips, and none without a field', () => {
  const section = sectionOf(read('docs/CONTRACTS.md'), 'Task message');
  const fields = tableRows(section).map(([field]) => field);
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(section)?.[1] ?? '') as Record<string, unknown>;

  assert.deepEqual(fields, topFields(taskMessage));
  assert.deepEqual(JSON.parse(JSON.stringify(taskMessage.parse(example))), example);
  for (const field of Object.keys(example)) {
    const { [field]: _gone, ...rest } = example;
    assert.ok(!taskMessage.safeParse(rest).success, `a message without ${field} is refused`);
  }
});

test('docs/CONTRACTS.md has every run state, and says which are resumable', () => {
  const rows = tableRows(sectionOf(read('docs/CONTRACTS.md'), 'Run states'));

  assert.deepEqual(
    rows.map(([state]) => state),
    [...runStates],
  );
  for (const [state, , isResumable] of rows)
    assert.equal(
      isResumable !== 'no',
      [...resumableStates].some((other) => other === state),
      state,
    );
});

test('docs/CONTRACTS.md has every kind of journal entry', () => {
  const rows = tableRows(sectionOf(read('docs/CONTRACTS.md'), 'Journal'));
  const source = read('src/contracts/journal.ts');
  const entries = source.slice(source.indexOf('export type JournalEntry'), source.indexOf('export interface Journal '));

  assert.deepEqual(
    rows.map(([kind]) => kind),
    [...entries.matchAll(/readonly kind: '([^']+)'/g)].map((match) => match[1]),
  );
});

test('docs/CONTRACTS.md has the fields, roles and recoveries of the tool interface', () => {
  const rows = tableRows(sectionOf(read('docs/CONTRACTS.md'), 'Tool interface')).map(([name]) => name);
  const source = read('src/contracts/tool.ts');
  const declaration = source.slice(source.indexOf('export interface ToolDeclaration'), source.indexOf('export interface ToolResult'));
  const fields = [...declaration.matchAll(/^ {2}readonly (\w+)\??:/gm)].map((match) => match[1]);
  const quoted = (line: string): string[] =>
    [...(new RegExp(line).exec(source)?.[1] ?? '').matchAll(/'([^']+)'/g)].map((match) => match[1]!);

  assert.deepEqual(rows, [...fields, ...quoted('type ArgumentRole = (.*);'), ...quoted('readonly recovery: (.*);')]);
});

test('docs/dependencies.md has every direct dependency with a reason, and no other', () => {
  const manifest: Record<string, Record<string, string>> = JSON.parse(read('package.json'));
  const sections = { 'At run time': 'dependencies', 'Node itself': 'optionalDependencies', 'For development': 'devDependencies' };

  for (const [heading, key] of Object.entries(sections)) {
    const rows = tableRows(sectionOf(read('docs/dependencies.md'), heading));
    assert.deepEqual(rows.map(([name]) => name).toSorted(), Object.keys(manifest[key]!).toSorted(), heading);
    for (const [name, why] of rows) assert.ok((why ?? '').length > 10, `${name} needs a reason`);
    for (const [name, version] of Object.entries(manifest[key]!)) assert.match(version, /^\d/, `${name} must be pinned to one version`);
  }
});

for (const part of generatedParts) {
  test(`the table "${part.name}" in ${part.file} is what the source says; npm run docs writes it`, () => {
    const text = read(part.file);

    assert.ok(withPart(text, part) === text, `${part.file}: run "npm run docs" and commit the result.`);
  });
}

test('every relative link in the documents leads to a file', () => {
  const documents = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'docs/CONFIG.md',
    'docs/CONTRACTS.md',
    'docs/ACCEPTANCE.md',
    'docs/glossary.md',
    'docs/quickstart.md',
    'docs/secrets-and-egress.md',
    'docs/tenants.md',
    'docs/security/THREAT_MODEL.md',
    'docs/security/small-box.md',
    'bench/README.md',
  ];
  for (const document of documents) {
    for (const [, target] of read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)) {
      assert.doesNotThrow(() => readFileSync(path.join(root, path.dirname(document), target!)), `${document} links to ${target}`);
    }
  }
});
