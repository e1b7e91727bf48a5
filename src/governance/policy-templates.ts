/**
 * What holds where no `policies/platform.yaml` exists: the tools that stay within an agent's roots or a sandbox without
 * network, with a human asked for nothing, and files that commonly hold secrets out of reach. An agent still needs its own grants.
 */
export const builtinPlatformPolicy = `version: 1
rules:
  - id: core-tools
    allow: [fs.read, fs.list, fs.write, fs.edit, code.search, time.now, http.fetch, shell.exec]
    examples:
      match: [{ tool: fs.read, args: { path: docs/a.md } }]
      skip: [{ tool: mail.send }]
  - id: protected-files
    deny: "*"
    paths: ["*:**/.env", "*:**/.env.*", "*:**/*.pem", "*:**/id_{rsa,dsa,ecdsa,ed25519}", "*:**/.{ssh,gnupg,aws,kube}/**", "*:**/.{netrc,npmrc,pypirc}"]
    why: These files usually hold secrets.
    examples:
      match: [{ tool: fs.read, args: { path: app/.env } }, { tool: fs.write, args: { path: keys/server.PEM } }]
      skip: [{ tool: fs.read, args: { path: docs/environment.md } }]
`;

/** What holds where a tenant has no `policy.yaml`: nothing is narrowed. */
export const builtinTenantPolicy = `version: 1
rules:
  - id: no-narrower
    allow: "*"
`;

/** Files that `init` writes, by path beneath the home. */
export const policyTemplates: Readonly<Record<'policies/platform.yaml' | 'tenants/default/policy.yaml', string>> = {
  'policies/platform.yaml': `# What any agent on this machine may do at most. Every call also needs the tenant's policy and the agent's own grant.
# In a file deny beats ask, ask beats allow, and what no rule allows is denied. docs/policy.md explains every field.
version: 1

# sandbox: { minimum: container }    # the weakest sandbox that commands of shell.exec may run in

rules:
  - id: core-tools
    allow: [fs.read, fs.list, fs.write, fs.edit, code.search, time.now, http.fetch, shell.exec]
    # Examples are checked at every start: a wrong one stops it, with this line.
    examples:
      match: [{ tool: fs.read, args: { path: docs/a.md } }]
      skip: [{ tool: mail.send }]

  - id: protected-files
    deny: "*"
    # "*:" is every root: the workspace and the read-only ones. Deny compares without regard to case.
    paths:
      - "*:**/.env"
      - "*:**/.env.*"
      - "*:**/*.pem"
      - "*:**/id_{rsa,dsa,ecdsa,ed25519}"
      - "*:**/.{ssh,gnupg,aws,kube}/**"
      - "*:**/.{netrc,npmrc,pypirc}"
    why: These files usually hold secrets.
    examples:
      match: [{ tool: fs.read, args: { path: app/.env } }, { tool: fs.write, args: { path: keys/server.PEM } }]
      skip: [{ tool: fs.read, args: { path: docs/environment.md } }]
`,
  'tenants/default/policy.yaml': `# What the agents of this tenant may do at most. It can only narrow policies/platform.yaml.
version: 1

# flow: strict    # a human is asked for any outside effect of a run that read both private and outside data
# trusted: [billing@example.org]    # destinations that need no question, wherever they were read

rules:
  - id: platform-decides
    allow: "*"

  # - id: ask-before-overwriting-releases
  #   ask: [fs.write, fs.edit]
  #   paths: ["releases/**"]
  #   why: Releases are read by customers.
  #   examples:
  #     match: [{ tool: fs.write, args: { path: releases/1.0.md } }]
  #     skip: [{ tool: fs.write, args: { path: drafts/1.0.md } }]
`,
};
