/**
 * The schema, one text for each version; a released text never changes. Ids sort by creation, so `id DESC` is "newest
 * first" and every index ends in it: a page of any filter is one range of one index.
 */
export const schemaSteps: readonly string[] = [
  `
  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    state TEXT NOT NULL,
    door TEXT NOT NULL,
    model TEXT NOT NULL,
    input_preview TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER,
    turns INTEGER NOT NULL,
    tool_calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER,
    owner TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX runs_by_tenant ON runs (tenant, id);
  CREATE INDEX runs_by_agent ON runs (tenant, agent, id);
  CREATE INDEX runs_by_state ON runs (state, id);
  CREATE INDEX runs_by_tenant_state ON runs (tenant, state, id);
  CREATE INDEX runs_by_agent_state ON runs (tenant, agent, state, id);
  CREATE INDEX runs_by_session ON runs (session, id);

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    last_run TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_agent ON sessions (tenant, agent, id);

  CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    run TEXT NOT NULL,
    call_id TEXT NOT NULL,
    request TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    target_hash TEXT,
    preview TEXT,
    decision TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    answered_ms INTEGER,
    answered_by TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX approvals_by_state ON approvals (state, id);
  CREATE INDEX approvals_by_run ON approvals (run, id);
  `,
];
