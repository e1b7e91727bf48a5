import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { agentConfig, clawholdConfig, llmConfig } from '../contracts/config.ts';
import { reasonOf } from '../contracts/errors.ts';
import { parseAgentId, type TenantId } from '../contracts/ids.ts';
import { combineProjects, platformFile, tenantFile } from '../control/projects.ts';
import type { AgentFinding, DoctorContext, ProjectFinding } from '../ops/run-doctor.ts';
import type { Home } from '../state/home.ts';
import { isReachedThroughLink } from '../state/linked-place.ts';
import { openTenants } from '../state/tenants.ts';
import { platformProjects, tenantProjects } from '../contracts/project.ts';
import { parseYaml, type ParsedYaml } from '../state/yaml-file.ts';
import { listAgents } from '../worker/load-agent.ts';
import type { App } from './app.ts';
import { privateDirsOf, wire } from './wire.ts';

/** The installation as doctor looks at it. */
export async function openDoctor(app: App): Promise<DoctorContext> {
  const home = await app.home();
  const { keys, secrets } = privateDirsOf(app);
  const { runtimeDirOf } = await import('./sandboxes.ts');
  return {
    home,
    nowMs: Date.now(),
    nodeVersion: process.versions.node,
    uid: process.geteuid?.(),
    keyFile: path.join(keys, 'ledger.ed25519'),
    secretsDir: secrets,
    runtimeDir: runtimeDirOf(app.env),
    agents: async () => await findAgents(app, home),
    projects: async () => findProjects(home),
    hasSecret: async (tenant, name) => await hasSecret(app, tenant, name),
    modelProblem: async () => await problemOfModel(app, home),
    fileGuard: async () => {
      const { openRoots } = await import('../tools/guard.ts');
      await using roots = await openRoots([{ name: 'probe', dir: os.tmpdir(), access: 'read' }]);
      return roots.assurance;
    },
    probes: async () => {
      checkAsIs(home);
      const { probeDrivers } = await import('../sandbox/open-sandbox.ts');
      return await probeDrivers((await app.sandboxes()).drivers);
    },
    disk: (dir) => {
      const { bavail, bsize, blocks, ffree, files } = fs.statfsSync(dir);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeFiles: ffree, totalFiles: files };
    },
    get: async (url) => {
      const answer = await fetch(url, { signal: AbortSignal.timeout(3000), redirect: 'error' });
      return { status: answer.status, text: await answer.text() };
    },
    procDir: '/proc',
    unitFile: '/etc/systemd/system/clawhold.service',
  };
}

async function hasSecret(app: App, tenant: TenantId, name: string): Promise<boolean> {
  await using own = wire({ env: app.env, cwd: app.cwd, tenant });
  return (await (await own.secrets()).get(tenant, name)) !== undefined;
}

/** Opening an installation repairs a damaged file; doctor only looks, so it asks first whether all are whole. */
function checkAsIs(home: Home): { readonly model: string | undefined } {
  const read = (name: string): string | undefined => {
    const file = path.join(home.dir, name);
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
  };
  const [config, llm] = [read('clawhold.yaml'), read('llm.yaml')];
  if (llm !== undefined) parseYaml(llm, llmConfig, path.join(home.dir, 'llm.yaml'));
  return { model: config === undefined ? undefined : parseYaml(config, clawholdConfig, path.join(home.dir, 'clawhold.yaml')).value.model };
}

async function problemOfModel(app: App, home: Home): Promise<string | undefined> {
  try {
    const { model } = checkAsIs(home);
    const { openModel } = await import('../models/open-model.ts');
    await openModel({ ref: model, llm: await app.llm(), env: app.env, homeDir: home.dir });
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function findProjects(home: Home): ProjectFinding[] {
  const found: ProjectFinding[] = [];
  for (const tenant of openTenants(home).list()) {
    try {
      const platform = parsedIfThere(home, platformFile, platformProjects);
      const own = parsedIfThere(home, tenantFile(tenant), tenantProjects);
      const projects = combineProjects({ tenant, root: home.tenantRoot(tenant), platform, own });
      const missing = projects.filter(({ dir }) => fs.statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true).map(({ id }) => id);
      const linked = projects.filter(({ root, dir }) => isReachedThroughLink(root, dir)).map(({ id }) => id);
      found.push({ tenant, count: projects.length, missing, linked });
    } catch (error) {
      found.push({ tenant, problem: reasonOf(error) });
    }
  }
  return found;
}

/** As it stands: what reads a file for use repairs it, and doctor only looks. */
function parsedIfThere<T>(home: Home, file: string, schema: Parameters<typeof parseYaml<T>>[1]): ParsedYaml<T> | undefined {
  const place = path.join(home.dir, file);
  return fs.existsSync(place) ? parseYaml(fs.readFileSync(place, 'utf8'), schema, file) : undefined;
}

async function findAgents(app: App, home: Home): Promise<AgentFinding[]> {
  checkAsIs(home);
  const found: AgentFinding[] = [];
  for (const tenant of openTenants(home).list()) {
    await using own = wire({ env: app.env, cwd: app.cwd, tenant });
    for (const agent of await listAgents(home, tenant)) {
      const facts = await inspect(own, home, agent);
      found.push({ tenant, agent, ...facts });
    }
  }
  return found;
}

async function inspect(app: App, home: Home, agent: string): Promise<Pick<AgentFinding, 'problem' | 'needsSandbox'>> {
  let needsSandbox = false;
  try {
    const file = path.join(home.agentDir(app.tenant, parseAgentId(agent)), 'agent.yaml');
    const { value } = parseYaml(fs.readFileSync(file, 'utf8'), agentConfig, file);
    needsSandbox = Object.hasOwn(value.grants ?? {}, 'shell.exec');
    const { inspectAgent } = await import('./inspect-agent.ts');
    await inspectAgent(app, parseAgentId(agent));
    return { needsSandbox };
  } catch (error) {
    return { needsSandbox, problem: reasonOf(error) };
  }
}
